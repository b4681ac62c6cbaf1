"""Pauses, names and the rounds of a lane."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domains.rewards.model import LanePhase, LaneWork, Place, event_reference
from domains.rewards.model.event import retry_pause, wait_pause
from domains.rewards.model.lane import LOOK_BEHIND, set_back_pause
from vocabulary.ids import MerchantId

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
PLACE = Place(time=NOON, reference="A-1")
AT_REST = LaneWork(
    merchant_id=MerchantId(uuid4()),
    next_sequence=1,
    phase=LanePhase.IDLE,
    round_number=7,
    round_time=NOON,
    promoted_time=NOON,
    order_place=PLACE,
    referral_place=PLACE,
    failure_count=0,
)


def test_a_failed_interaction_waits_longer_each_time_and_four_times() -> None:
    """It would be tried for ever, or given up at its first failure."""
    pauses = [retry_pause(tries) for tries in range(1, 6)]

    assert pauses == [*(timedelta(seconds=each) for each in (20, 40, 80, 160)), None]


@pytest.mark.parametrize(
    ("waits", "pause"),
    [
        (0, timedelta(seconds=30)),
        (1, timedelta(minutes=1)),
        (6, timedelta(minutes=32)),
        (7, timedelta(hours=1)),
        (10_000, timedelta(hours=1)),
    ],
)
def test_what_waits_for_a_rate_is_looked_at_every_hour(waits: int, pause: timedelta) -> None:
    """An order that waited long would wait days after its rate has come."""
    assert wait_pause(waits) == pause


@pytest.mark.parametrize(
    ("failures", "pause"),
    [
        (0, timedelta(seconds=5)),
        (1, timedelta(seconds=10)),
        (5, timedelta(seconds=160)),
        (6, timedelta(minutes=5)),
        (10_000, timedelta(minutes=5)),
    ],
)
def test_a_lane_that_fails_is_looked_at_every_five_minutes(failures: int, pause: timedelta) -> None:
    """After an hour of a fault a merchant's rewards would stop for days."""
    assert set_back_pause(failures) == pause


@pytest.mark.parametrize(
    ("order", "generation", "name"),
    [
        ("A-1", 1, "purchase:A-1"),
        ("A-1", 2, "purchase:A-1#2"),
        ("A-1#2", 1, "purchase:A-1##2"),
        ("A-1#", 2, "purchase:A-1###2"),
    ],
)
def test_every_life_of_every_order_has_a_name_of_its_own(
    order: str, generation: int, name: str
) -> None:
    """One order's second life would be taken for another order's first."""
    assert event_reference(order, generation) == name


def test_a_round_begins_at_the_beginning_with_a_number_of_its_own() -> None:
    """Orders of another round would be decided in this one, or early ones be passed over."""
    begun = AT_REST.begin_round(LATER)

    assert (begun.phase, begun.round_number, begun.round_time) == (LanePhase.PROMOTING, 8, LATER)
    assert (begun.order_place, begun.referral_place) == (None, None)


def test_a_round_is_walked_once_all_that_is_due_was_taken_in() -> None:
    """An early order that is taken in late would be decided after later ones."""
    begun = AT_REST.begin_round(LATER)

    in_part = begun.promoted(NOON + timedelta(seconds=1))
    assert in_part.phase is LanePhase.PROMOTING
    assert in_part.promoted_time == NOON + timedelta(seconds=1)
    whole = in_part.promoted(None)
    assert (whole.phase, whole.promoted_time) == (LanePhase.WALKING, LATER)


def test_a_part_that_was_walked_moves_only_what_it_had() -> None:
    """Where a batch had no referral, those before it would be met again."""
    begun = AT_REST.begin_round(LATER).promoted(None)
    further = Place(time=LATER, reference="B-1")

    walked = begun.walked(PLACE, None, is_over=False).walked(None, further, is_over=False)
    assert (walked.order_place, walked.referral_place) == (PLACE, further)
    assert walked.phase is LanePhase.WALKING
    assert walked.walked(None, None, is_over=True).phase is LanePhase.IDLE


def test_a_look_begins_a_little_behind_the_last_one_and_a_thorough_one_at_the_first() -> None:
    """What a slow transaction wrote a moment late would never be decided."""
    assert AT_REST.look_from(is_thorough=False) == NOON - LOOK_BEHIND
    assert AT_REST.look_from(is_thorough=True) is None
