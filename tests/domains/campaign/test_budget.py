"""Which window of a budget an instant lies in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.campaign.model import BudgetState, CalendarMonths, Charge, Tiles, WindowKey
from domains.campaign.model.budget import ALL_TIME
from tests.support.campaign import PUBLISHED, an_item
from vocabulary.amounts import POINTS

INSTANT = timedelta(microseconds=1)
# Names of the database that are places; the rest are the host's own or count leap seconds.
ZONES = sorted(available_timezones() - {"localtime", "Factory"})

_INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)


def month_of(instant: str, zone: str) -> tuple[str, str]:
    """The window of an instant, as its limits read in UTC."""
    item = an_item(window=CalendarMonths(time_zone=zone))
    start, end = item.window_at(datetime.fromisoformat(instant), origin=PUBLISHED)
    return f"{start:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize(
    ("instant", "zone", "start", "end"),
    [
        ("2025-02-28T23:59:59Z", "UTC", "2025-02-01T00:00", "2025-03-01T00:00"),
        ("2025-03-01T00:00:00Z", "UTC", "2025-03-01T00:00", "2025-04-01T00:00"),
        # A leap year's February.
        ("2024-02-29T12:00:00Z", "UTC", "2024-02-01T00:00", "2024-03-01T00:00"),
        # December is followed by another year.
        ("2025-12-31T23:59:59Z", "UTC", "2025-12-01T00:00", "2026-01-01T00:00"),
        ("2025-12-31T23:00:00Z", "Europe/Paris", "2025-12-31T23:00", "2026-01-31T23:00"),
        # Clocks change within the month: it is an hour shorter, or longer.
        ("2025-03-15T12:00:00Z", "Europe/Paris", "2025-02-28T23:00", "2025-03-31T22:00"),
        ("2025-10-26T00:30:00Z", "Europe/Paris", "2025-09-30T22:00", "2025-10-31T23:00"),
        ("2025-10-26T01:30:00Z", "Europe/Paris", "2025-09-30T22:00", "2025-10-31T23:00"),
        # The same instant is another month elsewhere.
        ("2025-03-31T22:00:00Z", "Europe/Paris", "2025-03-31T22:00", "2025-04-30T22:00"),
        ("2025-04-01T03:59:59Z", "America/New_York", "2025-03-01T05:00", "2025-04-01T04:00"),
        ("2025-04-01T00:00:00Z", "Asia/Kolkata", "2025-03-31T18:30", "2025-04-30T18:30"),
        ("2025-03-31T10:00:00Z", "Pacific/Kiritimati", "2025-03-31T10:00", "2025-04-30T10:00"),
        # A month that begins at one o'clock, because clocks went forward at its midnight.
        ("2017-10-01T04:00:00Z", "America/Asuncion", "2017-10-01T04:00", "2017-11-01T03:00"),
        ("2017-10-01T03:59:59Z", "America/Asuncion", "2017-09-01T04:00", "2017-10-01T04:00"),
        # A minute after midnight clocks went back: the month had begun and stays begun.
        ("2009-11-01T02:30:00Z", "America/St_Johns", "2009-11-01T02:30", "2009-12-01T03:30"),
        ("2009-11-01T03:00:00Z", "America/St_Johns", "2009-11-01T02:30", "2009-12-01T03:30"),
    ],
)
def test_a_month_is_that_of_the_calendar_where_the_merchant_is(
    instant: str, zone: str, start: str, end: str
) -> None:
    """An order in the night of a month's end would use up the wrong month's budget."""
    assert month_of(instant, zone) == (start, end)


@given(instant=_INSTANTS, zone=st.sampled_from(ZONES))
def test_months_tile_time_in_every_zone(instant: datetime, zone: str) -> None:
    """In some place an order would lie in no month, or in two."""
    item = an_item(window=CalendarMonths(time_zone=zone))

    start, end = item.window_at(instant, origin=PUBLISHED)

    assert start <= instant < end
    assert start.utcoffset() == end.utcoffset() == timedelta()
    assert item.window_at(start, origin=PUBLISHED) == (start, end)
    assert item.window_at(end - INSTANT, origin=PUBLISHED) == (start, end)
    assert item.window_at(end, origin=PUBLISHED)[0] == end
    there = ZoneInfo(zone)
    first, last = start.astimezone(there), (end - INSTANT).astimezone(there)
    assert (first.year, first.month) == (last.year, last.month)
    assert first.day == 1


@pytest.mark.parametrize(
    ("offset", "number"),
    [
        (timedelta(), 0),
        (timedelta(days=1) - INSTANT, 0),
        (timedelta(days=1), 1),
        (timedelta(days=365, hours=5), 365),
        (-INSTANT, -1),
        (timedelta(days=-1), -1),
        (timedelta(days=-1) - INSTANT, -2),
    ],
)
def test_windows_of_a_length_follow_each_other_from_the_origin(
    offset: timedelta, number: int
) -> None:
    """An order at the change of windows, or from before the first, would be charged wrongly."""
    day = timedelta(days=1)
    item = an_item(window=Tiles(duration=day))

    window = item.window_at(PUBLISHED + offset, origin=PUBLISHED)

    assert window == (PUBLISHED + number * day, PUBLISHED + (number + 1) * day)


@given(
    instant=_INSTANTS,
    origin=_INSTANTS,
    duration=st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=3650)),
)
def test_windows_of_a_length_tile_time(
    instant: datetime, origin: datetime, duration: timedelta
) -> None:
    """An order would lie in no window, or in two; or the origin would not begin one."""
    item = an_item(window=Tiles(duration=duration))

    start, end = item.window_at(instant, origin=origin)

    assert start <= instant < end
    assert end - start == duration
    assert (start - origin) % duration == timedelta()
    assert item.window_at(end - INSTANT, origin=origin) == (start, end)
    assert item.window_at(end, origin=origin)[0] == end


@given(instant=_INSTANTS)
def test_without_windows_there_is_one_for_all_time(instant: datetime) -> None:
    """A limit for all time would begin anew at some point."""
    start, end = an_item().window_at(instant, origin=PUBLISHED)

    assert (start, end) == ALL_TIME
    assert start < instant < end


def test_charges_add_up_and_leave_the_state_before_as_it_was() -> None:
    """A simulation would use up what it only tried."""
    one, other = (WindowKey(an_item().budget_item_id, PUBLISHED) for _ in range(2))
    before = BudgetState({one: 5})

    after = before.after(
        [
            Charge(key=one, unit_key=POINTS.key, base_units=2),
            Charge(key=other, unit_key=POINTS.key, base_units=3),
            Charge(key=one, unit_key=POINTS.key, base_units=1),
        ]
    )

    assert (after.used_of(one), after.used_of(other)) == (8, 3)
    assert (before.used_of(one), before.used_of(other)) == (5, 0)
    assert after.after([]) == after
