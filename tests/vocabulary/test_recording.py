"""The time in an id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from vocabulary.recording import IdRange, least_id, recorded_at

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MAX = 2**48 - 1
milliseconds = st.integers(0, MILLISECONDS_MAX)
low_bits = st.integers(0, 2**74 - 1)


def an_id(millisecond: int, low: int) -> UUID:
    """A UUID of version 7."""
    high, low = low >> 62, low & (2**62 - 1)
    return UUID(int=millisecond << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def test_the_time_of_a_fresh_id_is_now() -> None:
    """Everything would be shown as recorded at another time."""
    before = datetime.now(UTC)
    shown = recorded_at(uuid7())
    assert shown is not None
    assert before - timedelta(milliseconds=1) < shown <= datetime.now(UTC)
    assert shown.microsecond % 1_000 == 0


def test_an_id_of_another_kind_has_no_time() -> None:
    """Chance would be shown as a time."""
    assert recorded_at(uuid4()) is None
    assert recorded_at(an_id(MILLISECONDS_MAX, 0)) is None, "no calendar has the year 10889"


@given(milliseconds, low_bits, st.integers(-(10**15), 10**15))
def test_the_least_id_divides_ids_as_their_times_are_divided(
    millisecond: int, low: int, bound: int
) -> None:
    """A filter would show an item whose time lies outside, or leave one out that lies inside."""
    each = an_id(millisecond, low)
    if bound <= MILLISECONDS_MAX:
        assert (each >= least_id(bound)) == (millisecond >= bound)
    else:
        assert each < least_id(bound)
    everything = IdRange()
    assert everything.first <= each < everything.end


@given(st.integers(0, 250 * 10**12), low_bits)
def test_what_is_shown_is_what_is_compared(millisecond: int, low: int) -> None:
    """An item would be left out by the very time that it is shown with."""
    shown = recorded_at(an_id(millisecond, low))
    assert shown == EPOCH + timedelta(milliseconds=millisecond)
