"""The lane of a merchant: one writer, one order of deciding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from domains.rewards.model.event import Obstacle
from vocabulary.ids import MerchantId

WORKERS = "reward_work"
"""The channel on which workers are told to look now."""

SET_BACK_PAUSE = timedelta(seconds=5)
SET_BACK_PAUSE_MAX = timedelta(minutes=5)
LOOK_BEHIND = timedelta(minutes=1)
"""How far behind the last due time a look begins: what was written then may be seen only now."""


class LanePhase(StrEnum):
    """Where the round of a lane stands."""

    IDLE = "idle"
    PROMOTING = "promoting"
    WALKING = "walking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the order of a lane: after the one of this time and name."""

    time: datetime
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneWork:
    """A lane as its writer finds and leaves it.

    `round_number` counts rounds; `round_time` is up to which due time one takes in, later each time
    that it is walked; `order_place` and `referral_place` say how far it has been walked.
    """

    merchant_id: MerchantId
    next_sequence: int
    phase: LanePhase
    round_number: int
    round_time: datetime | None
    promoted_time: datetime | None
    order_place: Place | None
    referral_place: Place | None
    failure_count: int

    def begin_round(self, now: datetime) -> Self:
        """Takes in everything that is due now."""
        return replace(
            self,
            phase=LanePhase.PROMOTING,
            round_number=self.round_number + 1,
            round_time=now,
            order_place=None,
            referral_place=None,
        )

    def go_round_again(self, now: datetime) -> Self:
        """Walks the same round once more, with what is due by now: something was passed over."""
        return replace(
            self,
            phase=LanePhase.PROMOTING,
            round_time=now,
            order_place=None,
            referral_place=None,
        )

    def promoted(self, until: datetime | None) -> Self:
        """A part of what is due was taken in, in the order of due times; None: all of it."""
        if until is not None:
            return replace(self, promoted_time=until)
        return replace(self, promoted_time=self.round_time, phase=LanePhase.WALKING)

    def walked(self, order: Place | None, referral: Place | None, *, is_over: bool) -> Self:
        """A part of the round was dealt with, up to these places; None: as far as before."""
        return replace(
            self,
            order_place=order or self.order_place,
            referral_place=referral or self.referral_place,
            phase=LanePhase.IDLE if is_over else self.phase,
        )

    def look_from(self, *, is_thorough: bool) -> datetime | None:
        """From which due time on to look for what is due; None: from the first."""
        if is_thorough or self.promoted_time is None:
            return None
        return self.promoted_time - LOOK_BEHIND


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededRate:
    """A rate that interactions of a lane wait for, as in `USD/EUR`, and how many do.

    Some of them are served by an observation after `first_time` and up to `last_time`; each by
    one that is not after its own time.
    """

    pair: str
    interaction_count: int
    first_time: datetime
    last_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The order in which a merchant's rewards are decided, and how far that has come."""

    merchant_id: MerchantId
    held: bool
    due_count: int
    waiting_count: int
    dead_count: int
    oldest_due_time: datetime | None
    obstacle: Obstacle
    retry_time: datetime | None
    needed_rates: Sequence[NeededRate] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLane:
    """A merchant for whom there is something to do, and from when.

    `failure_count` says how often in a row its turns failed, and `failed_size` how much the last
    one of them tried; `has_reversals` that an order was taken back; `is_thorough` that its next
    round takes in what is due from the first due time on.
    """

    merchant_id: MerchantId
    due_time: datetime
    exists: bool
    next_sequence: int = 1
    failure_count: int = 0
    failed_size: int = 1
    has_reversals: bool = False
    is_thorough: bool = False

    def share_of(self, size: int) -> int:
        """How much of a size is tried: half as much after each turn that failed, one at least."""
        return max(1, size >> min(self.failure_count, size.bit_length()))

    def turn_size(self, size: int) -> int:
        """How much a turn tries: half of what was tried by the one that failed last."""
        return max(1, min(size, self.failed_size // 2)) if self.failure_count else size


def set_back_pause(failure_count: int) -> timedelta:
    """How long a lane rests after so many failed turns in a row."""
    pause: timedelta = SET_BACK_PAUSE * 2 ** min(failure_count, 10)
    return min(pause, SET_BACK_PAUSE_MAX)
