"""Decides a batch, in parts if it fails as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from domains.rewards.model import Obstacle
from domains.rewards.model.lane import set_back_pause
from infrastructure.database.failures import is_away, is_timeout
from orchestration.lane.flow.event_facts import LaneEvent
from orchestration.lane.flow.prepared import BatchFailedError, PreparedBatch
from orchestration.lane.flow.rehearsing import LaneRehearsals
from orchestration.lane.flow.searching import (
    AttemptResult,
    Search,
    halves_of,
    search_failures,
)
from orchestration.lane.flow.setbacks import LaneSetbacks
from orchestration.lane.flow.turn import LaneFailedError, Turn, cause_of, obstacle_of
from orchestration.lane.flow.turns import LaneTurns


class BatchParting:
    """Finds out what of a batch fails, so that the rest can go on."""

    def __init__(
        self,
        *,
        turns: LaneTurns,
        setbacks: LaneSetbacks,
        rehearsals: LaneRehearsals,
        clock: Callable[[], datetime],
    ) -> None:
        self._turns = turns
        self._setbacks = setbacks
        self._rehearsals = rehearsals
        self._clock = clock

    async def decide(self, turn: Turn, batch: PreparedBatch) -> bool | None:
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
        self, turn: Turn, batch: PreparedBatch, failure: BatchFailedError
    ) -> bool | None:
        """Searches a batch for what fails alone, and has that wait; returns as `decide` does.

        Raises:
            LaneFailedError: nobody is known to be to blame.
        """
        cause = cause_of(failure)
        search: Search[LaneEvent] = Search()
        is_about_it = not is_timeout(cause) and not is_away(cause)
        if is_about_it and not failure.events:
            return await self._decide_unread(turn, batch, cause)
        if not is_about_it:
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
                    batch,
                    search.stopped_at,
                    obstacle=obstacle_of(search.stopped_by),
                    rest=set_back_pause(turn.lane.failure_count),
                )
            raise LaneFailedError(obstacle_of(search.stopped_by)) from search.stopped_by
        if not is_past:
            raise LaneFailedError(Obstacle.DECIDING_FAILED) from cause
        return search.is_complete

    async def _decide_unread(
        self, turn: Turn, batch: PreparedBatch, cause: Exception
    ) -> bool | None:
        """Searches a batch that cannot be read for what cannot, and has that step aside."""

        async def decide(pieces: Sequence[PreparedBatch]) -> AttemptResult:
            return await self._decide_part(turn, batch.of_pieces(pieces))

        search = await search_failures(halves_of(batch.pieces), decide, clock=self._clock)
        if search.is_taken:
            return None
        best = search.best
        if search.stopped_by is None and best < AttemptResult.DECIDED:
            best = await self._rehearsals.best_of(
                batch, search.untried, failure_count=turn.lane.failure_count
            )
        if search.stopped_by is not None or best < AttemptResult.DECIDED:
            raise LaneFailedError(obstacle_of(search.stopped_by or cause)) from cause
        unread = [piece for piece, _ in search.failed]
        if unread and not await self._setbacks.pass_over(batch, unread):
            return None
        turn.unread += search.failed
        return search.is_complete

    async def _decide_part(self, turn: Turn, part: PreparedBatch) -> AttemptResult:
        try:
            outcome = await self._turns.decide(part)
        except BatchFailedError as failure:
            raise cause_of(failure) from failure
        if outcome is None:
            return AttemptResult.TAKEN
        turn.total.add(outcome)
        return outcome.result

    async def _search(
        self, turn: Turn, batch: PreparedBatch, events: Sequence[LaneEvent]
    ) -> Search[LaneEvent]:
        async def decide(part: Sequence[LaneEvent]) -> AttemptResult:
            return await self._decide_part(turn, batch.of(part))

        return await search_failures(halves_of(events), decide, clock=self._clock)

    async def _let_wait(
        self, turn: Turn, batch: PreparedBatch, search: Search[LaneEvent]
    ) -> bool | None:
        """Has what failed alone wait. Returns whether the lane gets past it, and goes on.

        None: another worker is at it.
        """
        failed = [each for each, _ in search.failed]
        best = search.best
        if failed and best is not AttemptResult.EARNED and search.stopped_by is None:
            rehearsed = await self._rehearsals.best_of(
                batch,
                [batch.of([each]) for each in search.untried],
                failure_count=turn.lane.failure_count,
            )
            best = max(best, rehearsed)
        if best < AttemptResult.DECIDED:
            return False
        is_proven = best is AttemptResult.EARNED
        wait = self._setbacks.set_aside if is_proven else self._setbacks.postpone
        if failed and not await wait(batch, failed, obstacle=Obstacle.DECIDING_FAILED):
            return None
        return True
