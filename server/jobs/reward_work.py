"""Turns due events into rewards, lane by lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from domains.rewards.model import WaitingLane
from infrastructure.database.transaction import TIMED_OUT, sqlstate
from orchestration.reward.flow import RewardOrchestrator
from orchestration.reward.flow.lane_work import BatchFailedError
from server.interception.refusals import is_dependency_away
from server.logs import fault_of
from vocabulary.ids import InteractionId

TURNS_MAX = 5
"""How many turns one lane gets before the others are looked at again: a second at the most."""

_log = structlog.get_logger()


class RewardWork:
    """One look at every lane. Other workers may look at the same time."""

    def __init__(self, *, flow: RewardOrchestrator, clock: Callable[[], datetime]) -> None:
        self._flow = flow
        self._clock = clock

    async def run(self) -> datetime | None:
        """Works on what is due. Returns when to look again; None if nothing is known to come."""
        lanes = await self._flow.list_waiting_lanes()
        now = self._clock()
        worked = False
        for lane in lanes:
            if lane.due_time > now:
                return now if worked else lane.due_time
            worked = await self._work(lane) or worked
        return now if worked else None

    async def _work(self, lane: WaitingLane) -> bool:
        """Takes turns at a lane until nothing is due; says whether it did anything."""
        for turn in range(TURNS_MAX):
            try:
                outcome = await self._flow.work(lane)
            except BatchFailedError as failed:
                if is_dependency_away(_cause(failed)):
                    raise
                if not failed.interaction_ids:
                    # The others' rewards do not wait for somebody to look at this one.
                    _log.error(
                        "lane failed", merchant_id=str(lane.merchant_id), **fault_of(_cause(failed))
                    )
                    return turn > 0
                await self._search(lane, failed.interaction_ids, _cause(failed))
                continue
            if not outcome.did_something:
                return turn > 0
            _log.info(
                "lane worked",
                merchant_id=str(lane.merchant_id),
                decided=outcome.decided_count,
                waiting=outcome.waiting_count,
                reversed=outcome.reversed_count,
                rewards=outcome.reward_count,
            )
        return True

    async def _search(
        self, lane: WaitingLane, suspects: Sequence[InteractionId], cause: Exception
    ) -> None:
        """Works on a failed batch by halves, until each part succeeds or is one event.

        That event alone costs a try; the order of the others is kept.
        """
        if len(suspects) == 1:
            _log.error(
                "event failed",
                merchant_id=str(lane.merchant_id),
                interaction_id=str(suspects[0]),
                fault=type(cause).__name__,
            )
            await self._flow.set_aside(
                lane,
                suspects[0],
                obstacle=type(cause).__name__,
                # Slow minutes of the database are not the event's fault: it waits, each time
                # longer, up to an hour, with its obstacle for everybody to see.
                costs_try=sqlstate(cause) != TIMED_OUT,
            )
            return
        middle = len(suspects) // 2
        for half in (suspects[:middle], suspects[middle:]):
            try:
                await self._flow.work_on(lane, half)
            except BatchFailedError as failed:
                if is_dependency_away(_cause(failed)):
                    raise
                if not failed.interaction_ids:
                    # A reversal came in between and fails: no event is to blame.
                    return
                await self._search(lane, half, _cause(failed))


def _cause(failed: BatchFailedError) -> Exception:
    cause = failed.__cause__
    return cause if isinstance(cause, Exception) else failed
