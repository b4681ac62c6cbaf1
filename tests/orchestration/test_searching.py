"""How what fails is found among what does not: bounded, and in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from orchestration.reward.flow.searching import (
    FAILURES_MAX,
    SEARCH_DURATION_MAX,
    Search,
    StoppedError,
    search_failures,
)
from tests.support.flows import Clock

MANY = range(200)


class Attempts:
    """Fails for some items; notes in which order the others succeeded. Each takes a while."""

    def __init__(self, *failing: int, takes: timedelta = timedelta()) -> None:
        self.clock = Clock()
        self.done: list[int] = []
        self.count = 0
        self._failing = set(failing)
        self._takes = takes

    async def __call__(self, items: Sequence[int]) -> None:
        self.count += 1
        self.clock.advance(self._takes)
        if self._failing & set(items):
            raise ValueError
        self.done += items


async def search(attempts: Attempts, items: Sequence[int] = MANY) -> Search[int]:
    return await search_failures(items, attempts, clock=attempts.clock)


@pytest.mark.parametrize("failing", [(), (0,), (199,), (0, 1, 100, 199)])
async def test_what_fails_is_found_and_the_rest_is_done_in_its_order(
    failing: tuple[int, ...],
) -> None:
    """Who gets the last of a budget would depend on who failed."""
    attempts = Attempts(*failing)

    found = await search(attempts)

    assert [item for item, _ in found.failed] == list(failing)
    assert attempts.done == [each for each in MANY if each not in failing]
    assert (found.success_count, found.is_complete) == (200 - len(failing), True)


async def test_what_fails_for_all_is_not_searched_to_the_end() -> None:
    """Hundreds of attempts would be made at something that is nobody's fault."""
    attempts = Attempts(*MANY)

    found = await search(attempts)

    assert (len(found.failed), found.success_count) == (FAILURES_MAX, 0)
    assert not found.is_complete


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


@pytest.mark.parametrize(
    "failure", [asyncpg.QueryCanceledError("slow"), ConnectionResetError("cut")]
)
async def test_what_took_too_long_or_was_cut_is_not_halved(failure: Exception) -> None:
    """A batch of 200 that times out would be tried 399 times, 20 seconds each."""
    parts = []

    async def attempt(items: Sequence[int]) -> None:
        parts.append(len(items))
        raise failure

    with pytest.raises(StoppedError) as stopped:
        await search_failures(MANY, attempt, clock=Clock())

    assert parts == [200]
    assert stopped.value.__cause__ is failure
    assert not stopped.value.search.is_complete
