"""Finds what fails in something that fails as a whole, so that the rest can go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Generic, TypeVar

from infrastructure.database.failures import is_away, is_timeout

SEARCH_DURATION_MAX = timedelta(seconds=5)
"""How long one lane's failures are looked into before the lane is looked at anew."""

FAILURES_MAX = 16
"""After so many that failed alone, and none that was decided, the rest is left."""

Item = TypeVar("Item")


class CommonFailureError(Exception):
    """Nothing of what is searched can succeed, so there is nothing to search for."""


class AttemptResult(IntEnum):
    """What an attempt came to that did not fail; later ones are worth more.

    TAKEN: nothing was attempted, because another worker has the lane or it is held. NOTHING: it
    only waits. DECIDED: it was dealt with, but nothing was earned. EARNED: that is a proof that
    what fails beside it does so for a reason of its own.
    """

    TAKEN = 0
    NOTHING = 1
    DECIDED = 2
    EARNED = 3


@dataclass(slots=True)
class Search(Generic[Item]):
    """What a search came to.

    `failed` are the items that failed alone; `best` is the most that any attempt came to;
    `untried` is what was neither dealt with nor failed alone, in order. `stopped_by` is what
    came in between that says nothing about what is searched, a timeout or a lost connection,
    and `stopped_at` the part that it happened to.
    """

    failed: list[tuple[Item, Exception]] = field(default_factory=list)
    best: AttemptResult = AttemptResult.NOTHING
    is_taken: bool = False
    untried: list[Item] = field(default_factory=list)
    stopped_by: Exception | None = None
    stopped_at: Sequence[Item] = ()

    @property
    def is_complete(self) -> bool:
        return not self.untried


def halves_of(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Both halves, if it is more than one."""
    middle = len(items) // 2
    return [half for half in (items[:middle], items[middle:]) if half]


async def search_failures(
    parts: Sequence[Sequence[Item]],
    attempt: Callable[[Sequence[Item]], Awaitable[AttemptResult]],
    *,
    clock: Callable[[], datetime],
) -> Search[Item]:
    """Attempts parts, and halves of those that fail, in order, until each succeeds or is one.

    Bounded: after five seconds, or 16 failures while nothing is decided, the rest is left. It is
    left as well once the lane is another one's, and when an attempt takes too long or loses its
    connection, which is no reason to halve it.

    Raises:
        CommonFailureError: an attempt raised it.
    """
    search: Search[Item] = Search()
    end = clock() + SEARCH_DURATION_MAX
    waiting = list(reversed(parts))

    def leave(part: Sequence[Item]) -> Search[Item]:
        search.untried = [item for each in (part, *reversed(waiting)) for item in each]
        return search

    while waiting:
        part = waiting.pop()
        are_all_failing = len(search.failed) >= FAILURES_MAX and search.best < AttemptResult.DECIDED
        if clock() > end or are_all_failing:
            return leave(part)
        try:
            result = await attempt(part)
        except CommonFailureError:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, who fails is searched for
            if is_timeout(failure) or is_away(failure):
                search.stopped_by, search.stopped_at = failure, part
                return leave(part)
            if len(part) == 1:
                search.failed.append((part[0], failure))
            else:
                waiting += reversed(halves_of(part))
            continue
        if result is AttemptResult.TAKEN:
            search.is_taken = True
            return leave(part)
        search.best = max(search.best, result)
    return search
