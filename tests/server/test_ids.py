"""Ids that processes make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from infrastructure.database.clock import DatabaseClock
from server.wiring import TimedIds
from tests.support.flows import NOON, Clock
from vocabulary.recording import recorded_at

IDS = 5_000


def test_ids_of_one_moment_grow_as_they_are_made() -> None:
    """The rewards of a batch would be listed in an order that means nothing."""
    new_id = TimedIds(Clock(NOON))
    made = [new_id() for _ in range(IDS)]

    assert made == sorted(made)
    assert len(set(made)) == IDS
    assert {recorded_at(each) for each in made} == {NOON}
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}


def test_an_id_has_the_time_of_the_clock_that_it_was_made_by() -> None:
    """A host with a wrong clock would record its orders an hour before the others' of today."""
    clock = Clock(NOON)
    new_id = TimedIds(clock)
    for ahead in (timedelta(hours=1), timedelta(microseconds=999), timedelta(hours=-3)):
        clock.now = NOON + ahead
        milliseconds = clock.now.replace(microsecond=clock.now.microsecond // 1_000 * 1_000)
        assert recorded_at(new_id()) == milliseconds


def test_ids_of_two_processes_differ() -> None:
    """Two hosts would give one id to two orders that come at one moment."""
    one, other = TimedIds(Clock(NOON)), TimedIds(Clock(NOON))
    assert not {one() for _ in range(IDS)} & {other() for _ in range(IDS)}


def test_ids_are_of_now_before_the_clock_was_ever_put_right() -> None:
    """A process asks the database for the time first, but does not depend on it to make ids."""
    shown = recorded_at(TimedIds(DatabaseClock())())
    assert shown is not None
    assert abs(shown - datetime.now(UTC)) < timedelta(seconds=1)
