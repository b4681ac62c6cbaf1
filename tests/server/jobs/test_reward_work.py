"""How a worker divides its places among lanes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import cast
from uuid import uuid4

import pytest

from domains.rewards.model import WaitingLane
from orchestration.lane.flow import LaneOutcome, RewardOrchestrator
from server.jobs.reward_work import (
    LOOK_EVERY,
    PAUSE,
    SET_BACK_LANES_MAX,
    THOROUGH_EVERY,
    TURNS_MAX,
    RewardWork,
)
from tests.support.flows import NOON, Clock
from vocabulary.ids import MerchantId


class StandInFlow:
    """Lanes that wait, and turns that end when a test lets them."""

    def __init__(self, *lanes: WaitingLane) -> None:
        self.lanes = list(lanes)
        self.looks: list[bool] = []
        self.turns: list[MerchantId] = []
        self.may_end = asyncio.Event()
        self.is_over = True
        self.decided_count = 1
        self.failure: Exception | None = None
        self.thorough: list[bool] = []
        self.takes_in = True

    async def list_waiting_lanes(self, *, is_thorough: bool) -> Sequence[WaitingLane]:
        self.looks.append(is_thorough)
        return self.lanes

    async def work(self, lane: WaitingLane) -> LaneOutcome:
        self.turns.append(lane.merchant_id)
        self.thorough.append(lane.is_thorough)
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return LaneOutcome(
            is_over=self.is_over,
            decided_count=self.decided_count,
            is_thorough=lane.is_thorough and self.takes_in,
        )


def a_lane(*, due: timedelta = timedelta(), failures: int = 0) -> WaitingLane:
    return WaitingLane(
        merchant_id=MerchantId(uuid4()),
        due_time=NOON + due,
        exists=True,
        failure_count=failures,
    )


def a_worker(
    flow: StandInFlow,
    *,
    lanes_max: int = 8,
    clock: Clock | None = None,
    woken: Callable[[], None] = lambda: None,
) -> RewardWork:
    return RewardWork(
        flow=cast("RewardOrchestrator", flow),
        clock=clock or Clock(),
        lanes_max=lanes_max,
        woken=woken,
    )


async def begun(worker: RewardWork, flow: StandInFlow) -> list[MerchantId]:
    """The lanes that are begun by a look, and by a second one while they are worked on."""
    for _ in range(2):
        await worker.run()
        # Tasks that were made begin when this one rests.
        await asyncio.sleep(0)
    turns = list(flow.turns)
    flow.may_end.set()
    await worker.finish()
    return turns


async def test_a_worker_has_so_many_places_and_a_lane_takes_one() -> None:
    """A worker would take more connections than its pool has, or work on one lane twice."""
    flow = StandInFlow(*(a_lane() for _ in range(5)))

    assert await begun(a_worker(flow, lanes_max=3), flow) == [
        each.merchant_id for each in flow.lanes[:3]
    ]


async def test_a_place_is_free_again_once_its_lane_is_done() -> None:
    """A worker would stand still after its first lanes."""
    flow = StandInFlow(a_lane())
    worker = a_worker(flow, lanes_max=1)
    flow.may_end.set()
    for _ in range(3):
        await worker.run()
        await worker.finish()

    assert len(flow.turns) == 3


async def test_only_what_is_due_is_begun_and_the_next_time_is_told() -> None:
    """Rewards would be decided before a buyer's grace is over, or a second look never come."""
    due, later, latest = a_lane(), a_lane(due=LOOK_EVERY / 2), a_lane(due=timedelta(hours=1))
    flow = StandInFlow(due, latest, later)
    worker = a_worker(flow)

    assert await worker.run() == LOOK_EVERY / 2
    assert await begun(worker, flow) == [due.merchant_id]


@pytest.mark.parametrize(("lanes_max", "places"), [(8, SET_BACK_LANES_MAX), (4, 2), (1, 1)])
async def test_lanes_that_failed_never_take_all_places(lanes_max: int, places: int) -> None:
    """Shops whose lanes hang would keep all others from being paid."""
    failing = [a_lane(failures=1) for _ in range(20)]
    flow = StandInFlow(*failing)

    assert await begun(a_worker(flow, lanes_max=lanes_max), flow) == [
        each.merchant_id for each in failing[:places]
    ]


async def test_a_lane_that_goes_on_makes_room_for_others_after_some_turns() -> None:
    """One shop's import of a million orders would come before everything else."""
    flow = StandInFlow(a_lane())
    flow.is_over = False
    flow.may_end.set()
    worker = a_worker(flow)

    await worker.run()
    await worker.finish()
    assert len(flow.turns) == TURNS_MAX

    flow.is_over = True
    await worker.run()
    await worker.finish()
    assert len(flow.turns) == TURNS_MAX + 1


async def test_lanes_with_long_queues_take_turns_with_all_others() -> None:
    """A few shops that import their past would keep every other shop from being paid."""
    flow = StandInFlow(*(a_lane() for _ in range(3)), a_lane(failures=1))
    flow.is_over = False
    flow.may_end.set()
    worker = a_worker(flow, lanes_max=2)

    for _ in range(4):
        await worker.run()
        await worker.finish()

    ids = [each.merchant_id for each in flow.lanes]
    turns = [flow.turns.count(each) // TURNS_MAX for each in ids]
    assert turns == [2, 2, 2, 2]


@pytest.mark.parametrize("failure", [None, RuntimeError("away")])
async def test_a_lane_that_comes_to_nothing_rests_and_others_go_on(
    failure: Exception | None,
) -> None:
    """While one worker has a lane, the other would do nothing else than ask for it."""
    flow = StandInFlow(a_lane())
    flow.decided_count = 0
    flow.failure = failure
    flow.may_end.set()
    wakings: asyncio.Queue[float] = asyncio.Queue()
    worker = a_worker(flow, woken=lambda: wakings.put_nowait(time.monotonic()))
    begin = time.monotonic()

    for _ in range(3):
        await worker.run()
        await worker.finish()
    assert len(flow.turns) == 1

    flow.lanes.append(a_lane())
    await worker.run()
    await worker.finish()
    assert len(flow.turns) == 2

    times = [await wakings.get() for _ in flow.lanes * 2]
    assert times[2] - begin >= PAUSE.total_seconds()
    await worker.run()
    await worker.finish()
    assert len(flow.turns) == 4


async def test_a_look_is_thorough_at_first_and_every_minute() -> None:
    """What was written late would wait for ever, or every look cost as much as the first."""
    clock = Clock()
    flow = StandInFlow()
    worker = a_worker(flow, clock=clock)
    for wait in (timedelta(), THOROUGH_EVERY - timedelta(seconds=1), timedelta(seconds=1)):
        clock.advance(wait)
        await worker.run()
    # A clock that is set back is no reason to wait.
    clock.advance(-timedelta(days=1))
    await worker.run()

    assert flow.looks == [True, False, True, True]


async def test_a_lane_that_is_worked_on_at_a_thorough_look_is_gone_through_afterwards() -> None:
    """An order that was written late in a busy shop would never be decided."""
    clock = Clock()
    flow = StandInFlow(a_lane())
    worker = a_worker(flow, clock=clock)
    await worker.run()
    await asyncio.sleep(0)
    clock.advance(THOROUGH_EVERY)
    await worker.run()
    flow.may_end.set()
    await worker.finish()

    for _ in range(2):
        await worker.run()
        await worker.finish()

    # The first look, the one after the busy one, and one for which nothing is left.
    assert flow.thorough == [True, True, False]
    assert flow.looks == [True, True, False, False]


async def test_a_lane_without_a_place_at_a_thorough_look_is_gone_through_afterwards() -> None:
    """The same, of a shop that had to wait for its turn."""
    flow = StandInFlow(a_lane(), a_lane())
    flow.may_end.set()
    worker = a_worker(flow, lanes_max=1)
    for _ in range(3):
        await worker.run()
        await worker.finish()

    assert flow.thorough == [True, True, False]


async def test_a_lane_is_gone_through_until_a_round_begins() -> None:
    """A round that lasts for many turns would use up what was asked for the next one."""
    flow = StandInFlow(a_lane())
    flow.may_end.set()
    flow.takes_in = False
    worker = a_worker(flow)
    for _ in range(2):
        await worker.run()
        await worker.finish()
    flow.takes_in, flow.is_over = True, False
    await worker.run()
    await worker.finish()

    assert flow.looks == [True, False, False]
    assert flow.thorough == [True, True, True] + [False] * (TURNS_MAX - 1)


async def test_a_long_queue_has_its_turn_beside_shops_that_are_drained_again_and_again() -> None:
    """Small shops, each with an order now and then, would keep a large one from being paid."""
    long, small = a_lane(), [a_lane() for _ in range(4)]
    flow = StandInFlow()
    flow.may_end.set()
    worker = a_worker(flow, lanes_max=2)
    drained: set[MerchantId] = set()

    for _ in range(10):
        # Whoever was drained has its next order by the look after this one.
        flow.lanes = [long, *(each for each in small if each.merchant_id not in drained)]
        begun = len(flow.turns)
        await worker.run()
        await worker.finish()
        drained = set(flow.turns[begun:])

    turns = Counter(flow.turns)
    assert min(turns[each.merchant_id] for each in (long, *small)) >= 3, turns
