"""Runs seeds, several side by side, and shortens the history of one that fails."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.drawing import draw_faults, draw_round
from tests.simulation.history import FaultPlan, MerchantPlan, RoundPlan
from tests.simulation.simulation import Outcome, Simulation
from tests.simulation.telling import scene_of, tell

SIDE_BY_SIDE = 10
"""Seeds that run at once. What breaks meanwhile is drawn for all of them together."""

AGAIN = 2
"""How often a shorter history is tried, because what meets whom is left to chance."""

SHORTENING_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A seed that failed: all that is known of it, and what it takes to shorten its history.

    No plan: it is not known which merchant it was.
    """

    told: str
    seed: int
    faults: FaultPlan
    plan: MerchantPlan | None
    order: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What some seeds came to."""

    seeds: Sequence[int]
    seconds: float
    failure: Failure | None


def batches(first: int, count: int) -> Iterator[range]:
    """The seeds that run side by side, always the same ones: 1 to 10, 11 to 20 and so on."""
    seed = first
    while seed < first + count:
        end = (seed - 1) // SIDE_BY_SIDE * SIDE_BY_SIDE + SIDE_BY_SIDE + 1
        yield range(seed, min(end, first + count))
        seed = end


async def run_seeds(
    simulation: Simulation, *, first: int, count: int, times: int = 1
) -> AsyncIterator[BatchResult]:
    """Runs seeds batch by batch, all of them so many times."""
    for seeds in itertools.chain.from_iterable(batches(first, count) for _ in range(times)):
        begin = time.monotonic()
        faults = draw_faults((seeds[0] - 1) // SIDE_BY_SIDE)
        outcome = await simulation.run([draw_round(seed) for seed in seeds], faults)
        yield BatchResult(
            seeds=seeds,
            seconds=time.monotonic() - begin,
            failure=_failure(simulation, seeds, faults, outcome) if outcome.breaches else None,
        )


def _failure(
    simulation: Simulation, seeds: Sequence[int], faults: FaultPlan, outcome: Outcome
) -> Failure:
    breach = next((each for each in outcome.breaches if each.merchant_id), outcome.breaches[0])
    scene = scene_of(breach.merchant_id, outcome.scenes)
    seed = seeds[0] if scene is None else scene.seed
    return Failure(
        told=tell(seed, seeds, outcome, simulation.callers),
        seed=seed,
        faults=faults,
        plan=None if scene is None else scene.plan,
        order=breach.order,
    )


async def shorten(simulation: Simulation, failure: Failure) -> str | None:
    """What a history with fewer orders comes to that fails as well, if one is found in time.

    The merchant stands alone in it, and orders are left out as long as it still fails.
    """
    if failure.plan is None:
        return None
    end = time.monotonic() + SHORTENING_SECONDS_MAX
    plan, found = failure.plan, None
    rest = [order for order in plan.orders if order != failure.order]
    size = len(rest)
    while size and time.monotonic() < end:
        for begin in range(0, len(rest), size):
            part = frozenset(rest[begin : begin + size])
            candidate = plan.without_orders(part)
            told = None
            if candidate.evidence and time.monotonic() < end:
                told = await _fails(simulation, failure, candidate)
            if told is not None:
                plan, found = candidate, told
                rest = [order for order in rest if order not in part]
                break
        else:
            size //= 2
    return found


async def _fails(simulation: Simulation, failure: Failure, plan: MerchantPlan) -> str | None:
    for _ in range(AGAIN):
        rounds = [RoundPlan(seed=failure.seed, merchants=(plan,))]
        outcome = await simulation.run(rounds, failure.faults)
        if outcome.breaches:
            return tell(failure.seed, [failure.seed], outcome, simulation.callers)
    return None
