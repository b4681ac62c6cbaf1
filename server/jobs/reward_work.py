"""Turns what is due into rewards, lane by lane, several lanes side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from domains.rewards.model import WaitingLane
from infrastructure.database.failures import is_away
from orchestration.lane.flow import LaneOutcome, RewardOrchestrator
from server.causes import fault_of
from vocabulary.ids import MerchantId

LANES_MAX = 8
"""How many lanes a worker works on at once."""

SET_BACK_LANES_MAX = LANES_MAX // 2
"""How many of them may be lanes that failed the last time: slow ones never take all places."""

TURNS_MAX = 20
"""How many turns a lane gets before those that wait are looked at again."""

LOOK_EVERY = timedelta(seconds=1)
"""How often a worker looks for itself what is due, because notifications may be lost."""

PAUSE = timedelta(milliseconds=50)
"""How soon a lane is looked at again that another worker has, or whose orders are being written."""

THOROUGH_EVERY = timedelta(minutes=1)
"""How often a look takes in what was written more than a minute late."""

_log = structlog.get_logger()


class RewardWork:
    """Works on every lane that is due. Other workers may do the same at the same time.

    A lane that takes long holds up no other: looks go on while it is worked on. Neither does one
    that comes to nothing, because another worker has it or its orders are being written: it rests
    for a moment. `woken` is called when there may be more to do, so that the next look comes soon.
    """

    def __init__(
        self,
        *,
        flow: RewardOrchestrator,
        clock: Callable[[], datetime],
        woken: Callable[[], None] = lambda: None,
        lanes_max: int = LANES_MAX,
        thorough_every: timedelta = THOROUGH_EVERY,
        pause: timedelta = PAUSE,
    ) -> None:
        self._flow = flow
        self._clock = clock
        self._woken = woken
        self._lanes_max = lanes_max
        self._thorough_every = thorough_every
        self._pause = pause
        self._running: dict[MerchantId, asyncio.Task[bool]] = {}
        self._set_back: set[MerchantId] = set()
        self._resting: set[MerchantId] = set()
        # Whose next round takes in what was written late, since which thorough look.
        self._thorough: dict[MerchantId, datetime] = {}
        # Which look each lane was last begun by, among those that wait.
        self._begun: dict[MerchantId, int] = {}
        self._look = 0
        self._thorough_time: datetime | None = None

    async def run(self) -> timedelta:
        """Begins to work on what is due. Returns how long until the next look."""
        now = self._clock()
        is_thorough = self._thorough_time is None or not (
            self._thorough_time <= now < self._thorough_time + self._thorough_every
        )
        lanes = await self._flow.list_waiting_lanes(is_thorough=is_thorough)
        if is_thorough:
            self._thorough_time = now
            due = {lane.merchant_id for lane in lanes if lane.due_time <= now}
            # Those that are worked on, rest or find no place are remembered until their turn.
            self._thorough = dict.fromkeys(due | set(self._running), now)
        self._look += 1
        # Whoever is new here had its turn no longer ago than anybody else.
        first = min(self._begun.values(), default=0)
        self._begun = {lane.merchant_id: self._begun.get(lane.merchant_id, first) for lane in lanes}
        for lane in sorted(lanes, key=self._turn_of):
            if lane.due_time <= now and self._has_place_for(lane):
                self._begin(lane)
        due_times = [lane.due_time for lane in lanes if lane.due_time > now]
        if not due_times:
            return LOOK_EVERY
        return max(timedelta(), min(LOOK_EVERY, min(due_times) - self._clock()))

    async def finish(self) -> None:
        """Waits until every lane that was begun is done."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    def _turn_of(self, lane: WaitingLane) -> tuple[int, bool]:
        """Whoever had no turn for longest comes first, of several whoever was not set back.

        By what is due alone, a few shops with long queues would keep all others waiting.
        """
        return self._begun[lane.merchant_id], lane.failure_count > 0

    def _has_place_for(self, lane: WaitingLane) -> bool:
        if lane.merchant_id in self._running or lane.merchant_id in self._resting:
            return False
        if len(self._running) >= self._lanes_max:
            return False
        set_back_max = max(1, min(SET_BACK_LANES_MAX, self._lanes_max // 2))
        return not lane.failure_count or len(self._set_back) < set_back_max

    def _begin(self, lane: WaitingLane) -> None:
        task = asyncio.create_task(self._work(lane))
        self._running[lane.merchant_id] = task
        self._begun[lane.merchant_id] = self._look
        if lane.failure_count:
            self._set_back.add(lane.merchant_id)
        task.add_done_callback(partial(self._end, lane.merchant_id))

    def _end(self, merchant_id: MerchantId, task: asyncio.Task[bool]) -> None:
        del self._running[merchant_id]
        self._set_back.discard(merchant_id)
        if task.cancelled() or not task.result():
            self._resting.add(merchant_id)
            task.get_loop().call_later(self._pause.total_seconds(), self._go_on, merchant_id)
        self._woken()

    def _go_on(self, merchant_id: MerchantId) -> None:
        self._resting.discard(merchant_id)
        self._woken()

    async def _work(self, lane: WaitingLane) -> bool:
        """Takes turns at a lane until nothing is due. Returns whether they came to anything."""
        did_something = False
        try:
            for _ in range(TURNS_MAX):
                asked = self._thorough.get(lane.merchant_id)
                outcome = await self._flow.work(replace(lane, is_thorough=asked is not None))
                if outcome.is_thorough and asked == self._thorough.get(lane.merchant_id):
                    del self._thorough[lane.merchant_id]
                _tell(lane, outcome)
                did_something = did_something or outcome.did_something
                if outcome.next_sequence is not None:
                    lane = replace(lane, next_sequence=outcome.next_sequence)
                if outcome.is_over:
                    break
        except Exception as raised:  # noqa: BLE001 - a lane that fails ends no other
            _log.error("lane failed", merchant_id=str(lane.merchant_id), **fault_of(raised))
        return did_something


def _tell(lane: WaitingLane, outcome: LaneOutcome) -> None:
    merchant_id = str(lane.merchant_id)
    for interaction_id, why in outcome.failed:
        _log.error(
            "interaction failed",
            merchant_id=merchant_id,
            interaction_id=str(interaction_id),
            **fault_of(why),
        )
    for name, why in outcome.unread:
        _log.error("cannot be read", merchant_id=merchant_id, name=name, **fault_of(why))
    for reversal, why in outcome.failed_reversals:
        _log.error(
            "reversal failed",
            merchant_id=merchant_id,
            reversal_id=str(reversal.reversal_id),
            **fault_of(why),
        )
    if outcome.failure is not None:
        say = _log.warning if is_away(outcome.failure) else _log.error
        say(
            "lane set back",
            merchant_id=merchant_id,
            obstacle=outcome.obstacle,
            **fault_of(outcome.failure),
        )
    if outcome.did_something:
        _log.info(
            "lane worked",
            merchant_id=merchant_id,
            decided=outcome.decided_count,
            waiting=outcome.waiting_count,
            reversed=outcome.reversed_count,
            rewards=outcome.reward_count,
        )
