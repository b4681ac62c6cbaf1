"""How what fails is found among what does not: bounded, and in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from orchestration.lane.flow.searching import (
    FAILURES_MAX,
    SEARCH_DURATION_MAX,
    AttemptResult,
    CommonFailureError,
    Search,
    halves_of,
    search_failures,
)
from tests.support.flows import Clock

MANY = range(200)


class Attempts:
    """Fails for some items; notes in which order the others succeeded. Each takes a while."""

    def __init__(
        self,
        *failing: int,
        takes: timedelta = timedelta(),
        result: AttemptResult = AttemptResult.EARNED,
    ) -> None:
        self.clock = Clock()
        self.done: list[int] = []
        self.count = 0
        self.result = result
        self._failing = set(failing)
        self._takes = takes

    async def __call__(self, items: Sequence[int]) -> AttemptResult:
        self.count += 1
        self.clock.advance(self._takes)
        if self._failing & set(items):
            raise ValueError
        self.done += items
        return self.result


async def search(attempts: Attempts, items: Sequence[int] = MANY) -> Search[int]:
    return await search_failures(halves_of(items), attempts, clock=attempts.clock)


@pytest.mark.parametrize("failing", [(), (0,), (199,), (0, 1, 100, 199)])
async def test_what_fails_is_found_and_the_rest_is_done_in_its_order(
    failing: tuple[int, ...],
) -> None:
    """Who gets the last of a budget would depend on who failed."""
    attempts = Attempts(*failing)

    found = await search(attempts)

    assert [item for item, _ in found.failed] == list(failing)
    assert attempts.done == [each for each in MANY if each not in failing]
    assert (found.best, found.is_complete) == (AttemptResult.EARNED, True)


async def test_what_failed_as_a_whole_is_not_attempted_as_a_whole_again() -> None:
    """In a slow database the search would be over before it gets to single events."""
    parts = []

    async def attempt(items: Sequence[int]) -> AttemptResult:
        parts.append(len(items))
        return AttemptResult.DECIDED

    await search_failures(halves_of(MANY), attempt, clock=Clock())

    assert parts == [100, 100]


@pytest.mark.parametrize("items", [range(1), range(2), range(3)])
def test_halves_are_the_whole_together(items: range) -> None:
    """An event would be passed over, or an empty batch be decided."""
    halves = halves_of(items)

    assert [each for half in halves for each in half] == list(items)
    assert all(halves)


@pytest.mark.parametrize("result", [AttemptResult.NOTHING, AttemptResult.EARNED])
async def test_what_fails_for_all_is_not_searched_to_the_end(result: AttemptResult) -> None:
    """Hundreds of attempts would be made at something that is nobody's fault."""
    attempts = Attempts(*MANY, result=result)

    found = await search(attempts)

    assert [item for item, _ in found.failed] == list(MANY[:FAILURES_MAX])
    assert found.untried == list(MANY[FAILURES_MAX:])
    assert (found.best, found.is_complete) == (AttemptResult.NOTHING, False)


async def test_what_only_waits_is_no_success() -> None:
    """A fault that all have in common would be searched to the end, because one lacks a rate."""
    found = await search(Attempts(*MANY[1:], result=AttemptResult.NOTHING))

    assert len(found.failed) == FAILURES_MAX


async def test_many_failures_among_successes_are_all_found() -> None:
    """Of twenty broken orders in a batch four would be tried for ever and never charged."""
    failing = tuple(range(1, 200, 10))

    found = await search(Attempts(*failing))

    assert [item for item, _ in found.failed] == list(failing)
    assert found.is_complete


async def test_a_search_ends_in_time() -> None:
    """One slow shop's failures would keep a worker for minutes."""
    attempts = Attempts(*MANY[::2], takes=timedelta(seconds=1))

    found = await search(attempts)

    assert not found.is_complete
    assert attempts.count == SEARCH_DURATION_MAX // timedelta(seconds=1) + 1
    alone = [item for item, _ in found.failed]
    assert sorted(alone + attempts.done + found.untried) == list(MANY)


@pytest.mark.parametrize(
    "failure", [asyncpg.QueryCanceledError("slow"), ConnectionResetError("cut")]
)
async def test_what_took_too_long_or_was_cut_is_not_halved(failure: Exception) -> None:
    """A batch of 200 that times out would be tried 399 times, 20 seconds each."""
    parts = []

    async def attempt(items: Sequence[int]) -> AttemptResult:
        parts.append(len(items))
        raise failure

    found = await search_failures([MANY], attempt, clock=Clock())

    assert parts == [200]
    assert (found.stopped_by, found.stopped_at) == (failure, MANY)
    assert (found.untried, found.is_complete) == (list(MANY), False)


async def test_a_search_ends_once_the_lane_is_another_one_s() -> None:
    """What nobody attempted would count as a success, and others pay for it with a try."""
    parts = []

    async def attempt(items: Sequence[int]) -> AttemptResult:
        parts.append(items)
        return AttemptResult.TAKEN if len(parts) == 2 else AttemptResult.DECIDED

    found = await search_failures(halves_of(MANY), attempt, clock=Clock())

    assert (found.is_taken, found.untried) == (True, list(MANY[100:]))


async def test_what_fails_for_all_is_not_searched_for() -> None:
    """A campaign that becomes unreadable during a search would cost the next events a try."""

    async def attempt(_: Sequence[int]) -> AttemptResult:
        raise CommonFailureError

    with pytest.raises(CommonFailureError):
        await search_failures([MANY], attempt, clock=Clock())
