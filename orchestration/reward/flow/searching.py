"""Finds what fails in something that fails as a whole, so that the rest can go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from infrastructure.database.failures import is_away, is_timeout

SEARCH_DURATION_MAX = timedelta(seconds=5)
"""How long one lane's failures are looked into before the lane is looked at anew."""

FAILURES_MAX = 16
"""After so many that failed alone, and none that succeeded, it is the same that fails for all."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Search(Generic[Item]):
    """What a search came to: what failed alone, how much succeeded, and whether that is all."""

    failed: list[tuple[Item, Exception]] = field(default_factory=list)
    success_count: int = 0
    is_complete: bool = True


class StoppedError(Exception):
    """Something came in between that says nothing about what is searched.

    A timeout, a lost connection. `search` is what was found until then.
    """

    def __init__(self, search: Search[object]) -> None:
        super().__init__("stopped")
        self.search = search


async def search_failures(
    items: Sequence[Item],
    attempt: Callable[[Sequence[Item]], Awaitable[None]],
    *,
    clock: Callable[[], datetime],
) -> Search[Item]:
    """Attempts halves, and halves of those, in their order, until each succeeds or is one.

    Bounded: after five seconds, or 16 failures without a success, the rest is left.

    Raises:
        StoppedError: an attempt took too long or lost its connection, which is no reason to
            halve it.
    """
    search: Search[Item] = Search()
    end = clock() + SEARCH_DURATION_MAX
    waiting = [items]
    while waiting:
        part = waiting.pop()
        if clock() > end or (len(search.failed) >= FAILURES_MAX and not search.success_count):
            search.is_complete = False
            return search
        try:
            await attempt(part)
        except Exception as failure:
            if is_timeout(failure) or is_away(failure):
                search.is_complete = False
                raise StoppedError(search) from failure  # type: ignore[arg-type]  # read only
            if len(part) == 1:
                search.failed.append((part[0], failure))
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
        else:
            search.success_count += len(part)
    return search
