"""Reward work: one writer a merchant, batch by batch, and what becomes of failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from orchestration.reward.flow.rehearsing import LaneRehearsals
from orchestration.reward.flow.reversing import LaneReversals
from orchestration.reward.flow.searching import (
    AttemptResult,
    Search,
    halves_of,
    search_failures,
)
from orchestration.reward.flow.setbacks import LaneSetbacks
from orchestration.reward.flow.turns import LaneTurns
from vocabulary.ids import InteractionId


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOutcome:
    """What one turn at a lane came to. All zero: another worker is at it, or nothing is due.

    `failed` are the interactions that failed alone; `obstacle` and `failure` say why the lane
    was set back as a whole, if it was; `is_over` that there is nothing more to do for now;
    `is_thorough` that a round took in what is due from the first due time on.
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
    is_thorough: bool = False

    @property
    def did_something(self) -> bool:
        return bool(self.decided_count or self.waiting_count or self.reversed_count)


class LaneFailedError(Exception):
    """A turn failed in a way that no single interaction is to blame for."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle)
        self.obstacle = obstacle


@dataclass(slots=True)
class _Turn:
    """A turn while it lasts: where the lane stood, what was prepared, and what came of it."""

    lane: WaitingLane
    sequence: int
    batch: PreparedBatch | None = None
    total: BatchOutcome = field(default_factory=BatchOutcome)
    reversed_count: int = 0
    failed: list[tuple[LaneEvent, Exception]] = field(default_factory=list)
    failed_reversals: list[tuple[Reversal, Exception]] = field(default_factory=list)

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
            obstacle=obstacle,
            failure=failure,
            is_over=is_over,
            is_thorough=self.batch is not None and self.batch.is_thorough,
        )


class RewardOrchestrator:
    """Turns due interactions into rewards, lane by lane.

    What fails alone while another one of its merchant earns costs that interaction a try. What
    fails alone while others are decided that earn nothing steps aside. What fails for all, takes
    too long or loses its connection sets the lane back and costs nothing; the next turn is half
    as large.
    """

    def __init__(
        self,
        *,
        database: Database,
        turns: LaneTurns,
        setbacks: LaneSetbacks,
        rehearsals: LaneRehearsals,
        reversals: LaneReversals,
        clock: Callable[[], datetime],
        batch_size: int,
    ) -> None:
        self._database = database
        self._turns = turns
        self._setbacks = setbacks
        self._rehearsals = rehearsals
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
        turn = _Turn(lane, lane.next_sequence)
        # What failed as a whole is tried in smaller parts.
        limit = lane.share_of(self._batch_size)
        try:
            if not lane.exists:
                await self._turns.make(lane.merchant_id)
            reversals = await self._reversals.list_open(lane, limit=limit)
            if reversals:
                search = await self._take_back(turn, reversals)
                # As long as there may be another one, nothing is decided. But those whose orders
                # are being written come next time: whoever holds one holds up nobody else.
                may_be_more = len(reversals) == limit and turn.reversed_count > 0
                if not search.is_complete or may_be_more:
                    return turn.outcome(is_over=search.is_taken)
            turn.batch = await self._turns.prepare(lane, limit=limit)
            if turn.batch is None:
                return turn.outcome(is_over=True)
            turn.sequence = turn.batch.lane.next_sequence
            is_complete = await self._decide(turn, turn.batch)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the lane is set back
            return await self._set_back(turn, failure)
        # One that another worker has is over.
        return turn.outcome(is_over=is_complete is None or (turn.batch.is_last and is_complete))

    async def _take_back(self, turn: _Turn, reversals: Sequence[Reversal]) -> Search[Reversal]:
        """Deals with a batch of reversals, before anything is decided that they would pay for."""
        merchant_id = turn.lane.merchant_id

        async def drain(part: Sequence[Reversal]) -> AttemptResult:
            count = await self._reversals.drain(merchant_id, part)
            if count is None:
                return AttemptResult.TAKEN
            turn.reversed_count += count
            turn.sequence += count
            return AttemptResult.EARNED if count else AttemptResult.NOTHING

        search = await search_failures([reversals], drain, clock=self._clock)
        turn.failed_reversals += search.failed
        waiting = [reversal for reversal, _ in search.failed]
        if search.stopped_by is not None and len(search.stopped_at) == 1:
            # One that takes too long by itself steps aside for whatever is behind it.
            waiting += search.stopped_at
        for reversal in waiting:
            await self._reversals.set_aside(merchant_id, reversal)
        if search.stopped_by is not None:
            raise LaneFailedError(_obstacle_of(search.stopped_by)) from search.stopped_by
        return search

    async def _decide(self, turn: _Turn, batch: PreparedBatch) -> bool | None:
        """Decides a batch; returns whether that was all of it. None: another worker is at it."""
        try:
            outcome = await self._turns.decide(batch)
        except BatchFailedError as failure:
            is_complete = await self._decide_in_parts(turn, batch, failure)
        else:
            is_complete = None if outcome is None else True
            turn.total = outcome or turn.total
        await self._turns.finish(batch, turn.total.let_go, is_complete=bool(is_complete))
        await self._turns.announce_again(turn.total)
        return is_complete

    async def _decide_in_parts(
        self, turn: _Turn, batch: PreparedBatch, failure: BatchFailedError
    ) -> bool | None:
        """Searches a batch for what fails alone, and has that wait; returns as `_decide` does.

        Raises:
            LaneFailedError: nobody is known to be to blame.
        """
        cause = _cause(failure)
        search: Search[LaneEvent] = Search()
        if is_timeout(cause) or is_away(cause):
            search.stopped_by, search.stopped_at = cause, failure.events
            search.untried = list(failure.events)
        elif len(failure.events) == 1:
            search.failed = [(failure.events[0], cause)]
        else:
            search = await self._search(turn, batch, failure.events)
        if search.is_taken:
            return None
        turn.failed += search.failed
        is_past = await self._let_wait(turn, batch, search)
        if is_past is None:
            return None
        if search.stopped_by is not None:
            if len(search.stopped_at) == 1:
                # One that takes too long by itself steps aside for the others behind it.
                await self._setbacks.postpone(
                    batch, search.stopped_at, obstacle=_obstacle_of(search.stopped_by)
                )
            raise LaneFailedError(_obstacle_of(search.stopped_by)) from search.stopped_by
        if not is_past:
            raise LaneFailedError(Obstacle.DECIDING_FAILED) from cause
        return search.is_complete

    async def _search(
        self, turn: _Turn, batch: PreparedBatch, events: Sequence[LaneEvent]
    ) -> Search[LaneEvent]:
        async def decide(part: Sequence[LaneEvent]) -> AttemptResult:
            try:
                outcome = await self._turns.decide(batch.of(part))
            except BatchFailedError as failure:
                raise _cause(failure) from failure
            if outcome is None:
                return AttemptResult.TAKEN
            turn.total.add(outcome)
            return outcome.result

        return await search_failures(halves_of(events), decide, clock=self._clock)

    async def _let_wait(
        self, turn: _Turn, batch: PreparedBatch, search: Search[LaneEvent]
    ) -> bool | None:
        """Has what failed alone wait. Returns whether the lane gets past it, and goes on.

        None: another worker is at it.
        """
        failed = [each for each, _ in search.failed]
        is_proven = search.best is AttemptResult.EARNED
        if failed and not is_proven and search.stopped_by is None:
            is_proven = await self._rehearsals.would_earn(
                batch, search.untried, failure_count=turn.lane.failure_count
            )
        if not is_proven and search.best < AttemptResult.DECIDED:
            return False
        wait = self._setbacks.set_aside if is_proven else self._setbacks.postpone
        if failed and not await wait(batch, failed, obstacle=Obstacle.DECIDING_FAILED):
            return None
        return True

    async def _set_back(self, turn: _Turn, failure: Exception) -> LaneOutcome:
        cause = _cause(failure)
        match failure:
            case LaneFailedError():
                obstacle = failure.obstacle
            case CampaignsUnreadableError():
                obstacle = Obstacle.CAMPAIGNS_UNREADABLE
            case _:
                obstacle = _obstacle_of(cause)
        try:
            if turn.batch is not None:
                # What waits for a rate, or was decided, is not opened again with the rest.
                await self._turns.finish(turn.batch, turn.total.let_go, is_complete=False)
                await self._turns.announce_again(turn.total)
                await self._setbacks.open_again(turn.batch)
            await self._setbacks.set_back(
                turn.lane.merchant_id, next_sequence=turn.sequence, obstacle=obstacle
            )
        except Exception as second:
            # Whoever could not work on it may not be able to say so either.
            if not is_away(second) and not is_timeout(second):
                raise
        return turn.outcome(is_over=True, obstacle=obstacle, failure=cause)


def _cause(failure: Exception) -> Exception:
    """What went wrong in the end, behind our own words for it."""
    cause = failure.__cause__
    is_ours = isinstance(failure, (BatchFailedError, LaneFailedError, CampaignsUnreadableError))
    return _cause(cause) if is_ours and isinstance(cause, Exception) else failure


def _obstacle_of(failure: Exception) -> Obstacle:
    if is_timeout(failure):
        return Obstacle.TIMED_OUT
    if is_away(failure):
        return Obstacle.CONNECTION_LOST
    return Obstacle.DECIDING_FAILED
