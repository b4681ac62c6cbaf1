"""Reward work: one writer a merchant, batch by batch, and what becomes of failures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from domains.rewards.model import Obstacle, Reversal, WaitingLane
from domains.rewards.model.lane import set_back_pause
from infrastructure.database.failures import is_away, is_timeout
from infrastructure.database.transaction import Database
from orchestration.lane.flow.parting import BatchParting
from orchestration.lane.flow.prepared import CampaignsUnreadableError
from orchestration.lane.flow.reversing import LaneReversals
from orchestration.lane.flow.searching import AttemptResult, Search, search_failures
from orchestration.lane.flow.setbacks import LaneSetbacks
from orchestration.lane.flow.turn import (
    LaneFailedError,
    LaneOutcome,
    Turn,
    cause_of,
    obstacle_of,
)
from orchestration.lane.flow.turns import LaneTurns
from orchestration.queries.lanes import list_waiting_lanes


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
        parting: BatchParting,
        reversals: LaneReversals,
        clock: Callable[[], datetime],
        batch_size: int,
    ) -> None:
        self._database = database
        self._turns = turns
        self._setbacks = setbacks
        self._parting = parting
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
        # What failed as a whole is tried in smaller parts.
        limit = lane.turn_size(self._batch_size)
        turn = Turn(lane, lane.next_sequence, limit)
        try:
            if not lane.exists:
                await self._turns.make(lane.merchant_id)
            drained = await self._take_all_back(turn, limit)
            if drained is not None:
                return drained
            turn.size = limit
            turn.batch = await self._turns.prepare(lane, limit=limit)
            if turn.batch is None:
                return turn.outcome(is_over=True)
            turn.sequence, turn.size = turn.batch.lane.next_sequence, turn.batch.size
            is_complete = await self._parting.decide(turn, turn.batch)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the lane is set back
            return await self._set_back(turn, failure)
        # One that another worker has is over.
        return turn.outcome(is_over=is_complete is None or (turn.batch.is_last and is_complete))

    async def _take_all_back(self, turn: Turn, limit: int) -> LaneOutcome | None:
        """Deals with what was taken back; None: there is no more of it, and the lane may go on.

        Those whose orders are being written, or that fail alone, are passed and come next time:
        whoever holds one holds up nobody else. But as long as there may be another one nothing is
        decided.
        """
        after = None
        while reversals := await self._reversals.list_open(turn.lane, after=after, limit=limit):
            turn.size = len(reversals)
            search = await self._take_back(turn, reversals)
            if not search.is_complete:
                return turn.outcome(is_over=search.is_taken)
            if len(reversals) < limit:
                return None
            if turn.reversed_count:
                # Another turn goes on: others wait for the place of this lane.
                return turn.outcome(is_over=False)
            after = reversals[-1]
        return None

    async def _take_back(self, turn: Turn, reversals: Sequence[Reversal]) -> Search[Reversal]:
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
        rest = set_back_pause(turn.lane.failure_count) if search.stopped_by else timedelta()
        for reversal in waiting:
            await self._reversals.set_aside(merchant_id, reversal, rest=rest)
        if search.stopped_by is not None:
            raise LaneFailedError(obstacle_of(search.stopped_by)) from search.stopped_by
        return search

    async def _set_back(self, turn: Turn, failure: Exception) -> LaneOutcome:
        cause = cause_of(failure)
        match failure:
            case LaneFailedError():
                obstacle = failure.obstacle
            case CampaignsUnreadableError():
                obstacle = Obstacle.CAMPAIGNS_UNREADABLE
            case _:
                obstacle = obstacle_of(cause)
        batch, total = turn.batch, turn.total
        # Resting comes first: it depends on nothing that may be what failed.
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: self._setbacks.set_back(
                turn.lane.merchant_id,
                next_sequence=turn.next_sequence,
                obstacle=obstacle,
                size=turn.size,
            )
        ]
        if batch is not None:
            # What waits for a rate, or was decided, is not opened again with the rest.
            steps += [
                lambda: self._turns.finish(batch, total.let_go, is_complete=False),
                lambda: self._turns.announce_again(total),
                lambda: self._setbacks.open_again(batch),
            ]
        unforeseen: list[Exception] = []
        for step in steps:
            try:
                await step()
            except Exception as second:  # noqa: BLE001 - the others are tried all the same
                # Whoever could not work on it may not be able to say so either.
                if not is_away(second) and not is_timeout(second):
                    unforeseen.append(second)
        if unforeseen:
            raise unforeseen[0] from failure
        return turn.outcome(is_over=True, obstacle=obstacle, failure=cause)
