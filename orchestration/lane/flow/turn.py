"""One turn at a lane: what it came to, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from domains.rewards.model import Obstacle, Reversal, WaitingLane
from infrastructure.database.failures import is_away, is_timeout
from orchestration.lane.flow.event_facts import LaneEvent
from orchestration.lane.flow.prepared import (
    BatchFailedError,
    BatchOutcome,
    CampaignsUnreadableError,
    PreparedBatch,
)
from vocabulary.ids import InteractionId


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOutcome:
    """What one turn at a lane came to. All zero: another worker is at it, or nothing is due.

    `failed` are the interactions that failed alone, `unread` the orders and referrals that cannot
    even be read; `obstacle` and `failure` say why the lane
    was set back as a whole, if it was; `is_over` that there is nothing more to do for now;
    `is_thorough` that a round took in what is due from the first due time on; `next_sequence` is
    where the lane stands by then, if that is known.
    """

    decided_count: int = 0
    waiting_count: int = 0
    reversed_count: int = 0
    reward_count: int = 0
    failed: Sequence[tuple[InteractionId, Exception]] = ()
    failed_reversals: Sequence[tuple[Reversal, Exception]] = ()
    unread: Sequence[tuple[str, Exception]] = ()
    obstacle: Obstacle = Obstacle.NONE
    failure: Exception | None = None
    is_over: bool = True
    is_thorough: bool = False
    next_sequence: int | None = None

    @property
    def did_something(self) -> bool:
        return bool(self.decided_count or self.waiting_count or self.reversed_count)


class LaneFailedError(Exception):
    """A turn failed in a way that no single interaction is to blame for."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle)
        self.obstacle = obstacle


@dataclass(slots=True)
class Turn:
    """A turn while it lasts: where the lane stood, what was prepared, and what came of it.

    `size` is how much is tried right now.
    """

    lane: WaitingLane
    sequence: int
    size: int
    batch: PreparedBatch | None = None
    total: BatchOutcome = field(default_factory=BatchOutcome)
    reversed_count: int = 0
    failed: list[tuple[LaneEvent, Exception]] = field(default_factory=list)
    failed_reversals: list[tuple[Reversal, Exception]] = field(default_factory=list)
    unread: list[tuple[PreparedBatch, Exception]] = field(default_factory=list)

    @property
    def next_sequence(self) -> int:
        """Where the lane stands if nobody else has gone on with it."""
        return self.sequence + self.total.decision_count

    def outcome(
        self,
        *,
        is_over: bool,
        obstacle: Obstacle = Obstacle.NONE,
        failure: Exception | None = None,
    ) -> LaneOutcome:
        return LaneOutcome(
            decided_count=self.total.decided_count,
            waiting_count=self.total.waiting_count,
            reversed_count=self.reversed_count,
            reward_count=self.total.reward_count,
            failed=[(each.interaction.interaction_id, why) for each, why in self.failed],
            failed_reversals=self.failed_reversals,
            unread=[(name, why) for piece, why in self.unread for name in piece.names],
            obstacle=obstacle,
            failure=failure,
            is_over=is_over,
            is_thorough=self.batch is not None and self.batch.is_thorough,
            next_sequence=self.next_sequence,
        )


def cause_of(failure: Exception) -> Exception:
    """What went wrong in the end, behind our own words for it."""
    cause = failure.__cause__
    is_ours = isinstance(failure, (BatchFailedError, LaneFailedError, CampaignsUnreadableError))
    return cause_of(cause) if is_ours and isinstance(cause, Exception) else failure


def obstacle_of(failure: Exception) -> Obstacle:
    """Why a lane rests after it."""
    if is_timeout(failure):
        return Obstacle.TIMED_OUT
    if is_away(failure):
        return Obstacle.CONNECTION_LOST
    return Obstacle.DECIDING_FAILED
