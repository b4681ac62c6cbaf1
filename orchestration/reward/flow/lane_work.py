"""Reward work: one writer a merchant, batch by batch, and what becomes of failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domains.rewards.model import Obstacle, Reversal, WaitingLane
from infrastructure.database.failures import is_away, is_timeout
from infrastructure.database.transaction import Database
from orchestration.queries.lanes import list_waiting_lanes
from orchestration.reward.flow.event_facts import LaneEvent
from orchestration.reward.flow.prepared import (
    BatchFailedError,
    BatchOutcome,
    CampaignsUnreadableError,
    PreparedBatch,
)
from orchestration.reward.flow.reversing import LaneReversals
from orchestration.reward.flow.searching import StoppedError, search_failures
from orchestration.reward.flow.setbacks import LaneSetbacks
from orchestration.reward.flow.turns import LaneTurns
from vocabulary.ids import InteractionId


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOutcome:
    """What one turn at a lane came to. All zero: another worker is at it, or nothing is due.

    `failed` are the interactions that failed alone; `obstacle` and `failure` say why the lane
    was set back as a whole, if it was; `is_over` that there is nothing more to do for now.
    """

    decided_count: int = 0
    waiting_count: int = 0
    reversed_count: int = 0
    reward_count: int = 0
    failed: Sequence[tuple[InteractionId, Exception]] = ()
    failed_reversals: Sequence[tuple[Reversal, Exception]] = ()
    obstacle: Obstacle = Obstacle.NONE
    failure: Exception | None = None
    is_over: bool = True

    @property
    def did_something(self) -> bool:
        return bool(self.decided_count or self.waiting_count or self.reversed_count)


class LaneFailedError(Exception):
    """A turn failed in a way that no single interaction is to blame for."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle)
        self.obstacle = obstacle


class RewardOrchestrator:
    """Turns due interactions into rewards, lane by lane.

    What fails alone while others of its lane succeed costs that interaction a try. What fails
    for all, takes too long or loses its connection sets the lane back and costs nothing.
    """

    def __init__(
        self,
        *,
        database: Database,
        turns: LaneTurns,
        setbacks: LaneSetbacks,
        reversals: LaneReversals,
        clock: Callable[[], datetime],
        batch_size: int,
    ) -> None:
        self._database = database
        self._turns = turns
        self._setbacks = setbacks
        self._reversals = reversals
        self._clock = clock
        self._batch_size = batch_size

    async def list_waiting_lanes(self, *, is_thorough: bool = False) -> Sequence[WaitingLane]:
        """Every lane with something to do now or later: the earliest first, set back ones last.

        A look that is not thorough passes what was written more than a minute late.
        """
        async with self._database.single() as tx:
            return await list_waiting_lanes(tx, now=self._clock(), is_thorough=is_thorough)

    async def work(self, lane: WaitingLane) -> LaneOutcome:
        """Takes one turn at a lane: its reversals, then one batch of what is due."""
        sequence = lane.next_sequence
        outcome = LaneOutcome()
        batch = None
        try:
            if not lane.exists:
                await self._turns.make(lane.merchant_id)
            if lane.has_reversals:
                outcome = await self._take_back(lane)
                sequence += outcome.reversed_count
                if not outcome.is_over:
                    return outcome
            # What took too long in one is tried in smaller parts.
            limit = max(1, self._batch_size >> min(lane.timeout_count, 10))
            batch = await self._turns.prepare(lane, limit=limit)
            if batch is None:
                return outcome
            sequence = batch.lane.next_sequence
            return await self._work_on(batch, outcome)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the lane is set back
            return await self._set_back(lane, batch, sequence, outcome, failure)

    async def _take_back(self, lane: WaitingLane) -> LaneOutcome:
        """Deals with a batch of reversals, before anything is decided that they would pay for."""
        reversals = await self._reversals.list_open(lane, limit=self._batch_size)
        if not reversals:
            return LaneOutcome()
        reversed_count = 0

        async def drain(part: Sequence[Reversal]) -> None:
            nonlocal reversed_count
            reversed_count += await self._reversals.drain(lane.merchant_id, part)

        search = await search_failures(reversals, drain, clock=self._clock)
        for reversal, _ in search.failed:
            await self._reversals.set_aside(lane.merchant_id, reversal)
        return LaneOutcome(
            reversed_count=reversed_count,
            failed_reversals=search.failed,
            # As long as there may be another one, nothing is decided.
            is_over=search.is_complete and len(reversals) < self._batch_size,
        )

    async def _work_on(self, batch: PreparedBatch, so_far: LaneOutcome) -> LaneOutcome:
        total = BatchOutcome()

        async def decide(events: Sequence[LaneEvent]) -> None:
            try:
                outcome = await self._turns.decide(batch.of(events))
            except BatchFailedError as failure:
                raise _cause(failure) from failure
            if outcome is not None:
                total.add(outcome)

        failed: list[tuple[LaneEvent, Exception]] = []
        is_complete = True
        try:
            outcome = await self._turns.decide(batch)
            if outcome is None:
                return so_far
            total.add(outcome)
        except BatchFailedError as failure:
            cause = _cause(failure)
            obstacle = _obstacle_of(cause)
            if obstacle is not Obstacle.DECIDING_FAILED or len(failure.events) <= 1:
                if obstacle is Obstacle.TIMED_OUT and len(failure.events) == 1:
                    await self._let_wait(batch, failure.events[0])
                raise LaneFailedError(obstacle) from cause
            search = await search_failures(failure.events, decide, clock=self._clock)
            if not search.success_count:
                raise LaneFailedError(Obstacle.DECIDING_FAILED) from cause
            failed, is_complete = search.failed, search.is_complete
            total.let_go += await self._setbacks.set_aside(
                batch, [each for each, _ in failed], obstacle=Obstacle.DECIDING_FAILED
            )
        await self._turns.finish(batch, total.let_go, is_complete=is_complete)
        await self._turns.announce_again(total)
        return replace(
            so_far,
            decided_count=total.decided_count,
            waiting_count=total.waiting_count,
            reward_count=total.reward_count,
            failed=[(each.interaction.interaction_id, why) for each, why in failed],
            is_over=batch.is_last and is_complete,
        )

    async def _let_wait(self, batch: PreparedBatch, event: LaneEvent) -> None:
        """One that takes too long by itself steps aside for the others behind it."""
        let_go = await self._setbacks.postpone(batch, event, obstacle=Obstacle.TIMED_OUT)
        await self._turns.finish(batch, let_go, is_complete=False)

    async def _set_back(
        self,
        lane: WaitingLane,
        batch: PreparedBatch | None,
        sequence: int,
        outcome: LaneOutcome,
        failure: Exception,
    ) -> LaneOutcome:
        cause = _cause(failure)
        match failure:
            case LaneFailedError():
                obstacle = failure.obstacle
            case CampaignsUnreadableError():
                obstacle = Obstacle.CAMPAIGNS_UNREADABLE
            case _:
                obstacle = _obstacle_of(cause)
        try:
            if batch is not None:
                await self._setbacks.open_again(batch)
            await self._setbacks.set_back(
                lane.merchant_id, next_sequence=sequence, obstacle=obstacle
            )
        except Exception as second:
            # Whoever could not work on it may not be able to say so either.
            if not is_away(second) and not is_timeout(second):
                raise
        return replace(outcome, obstacle=obstacle, failure=cause, is_over=True)


def _cause(failure: Exception) -> Exception:
    """What went wrong in the end, behind our own words for it."""
    cause = failure.__cause__
    is_ours = isinstance(
        failure, (BatchFailedError, LaneFailedError, CampaignsUnreadableError, StoppedError)
    )
    return _cause(cause) if is_ours and isinstance(cause, Exception) else failure


def _obstacle_of(failure: Exception) -> Obstacle:
    if is_timeout(failure):
        return Obstacle.TIMED_OUT
    if is_away(failure):
        return Obstacle.CONNECTION_LOST
    return Obstacle.DECIDING_FAILED
