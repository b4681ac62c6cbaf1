"""Times of the same call in a small and in a large situation, one after the other."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.scale.shop import CLAIMED, Shop
from server.wiring import REWARD_BATCH_SIZE

RATIO_MAX = 2.0
CALLS = 60
WARM_UP = 12
"""More than the five calls after which PostgreSQL keeps a plan."""

BATCHES = 8
LOOK = "look"
"""A part of the lane claim. While a snapshot is held it walks over what was decided in the last
minute, 0.1 µs each, however long that is held.
"""

Times = dict[str, list[float]]
"""Seconds, by what was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one thing took in both situations. What is a part of another one is judged with it."""

    name: str
    small: Sequence[float]
    large: Sequence[float]
    is_part: bool = False

    @property
    def ratio(self) -> float:
        return at(self.large, 0.5) / at(self.small, 0.5)

    @property
    def is_over(self) -> bool:
        """Beyond noise: the better part of one against the worse part of the other."""
        if self.is_part:
            return False
        return self.ratio > RATIO_MAX and at(self.large, 0.25) > RATIO_MAX * at(self.small, 0.75)


def at(values: Sequence[float], part: float) -> float:
    """The value below which a part of them lies."""
    return sorted(values)[int(len(values) * part)]


async def timed(times: Times, name: str, call: Callable[[], Awaitable[object]]) -> object:
    """Does something and notes how long it took."""
    begin = time.perf_counter()
    result = await call()
    times.setdefault(name, []).append(time.perf_counter() - begin)
    return result


async def requests(shop: Shop, times: Times) -> None:
    """One of each request."""
    order = f"order-{next(shop.numbers)}"
    await timed(times, "arrival", shop.arrive)
    await timed(times, "arrival by a link", shop.arrive_by_link)
    await timed(times, "webhook", lambda: shop.report(order))
    await timed(times, "claim", lambda: shop.claim(order))
    await timed(times, "webhook, same order", lambda: shop.report(CLAIMED))
    await timed(times, "claim, same order", lambda: shop.claim(CLAIMED))


async def lane(shop: Shop, times: Times) -> None:
    """A batch of orders that are due: found, fixed, decided."""
    await shop.add_due_orders(orders=REWARD_BATCH_SIZE)
    begin = time.perf_counter()
    found = await shop.look()
    assert found is not None, "something is due"
    looked = time.perf_counter()
    batch = await shop.prepare(found)
    prepared = time.perf_counter()
    assert batch is not None, "something is due"
    assert len(batch.orders) == REWARD_BATCH_SIZE, batch
    await shop.decide(batch)
    decided = time.perf_counter()
    times.setdefault(LOOK, []).append(looked - begin)
    times.setdefault("lane claim", []).append(prepared - begin)
    times.setdefault("batch of 200", []).append(decided - prepared)
    while (again := await shop.prepare(found)) is not None:
        await shop.decide(again)


async def compare(small: Shop, large: Shop, *, with_lane: bool = True) -> list[Figure]:
    """Calls alternate between the two."""
    times: tuple[Times, Times] = ({}, {})
    for _ in range(CALLS):
        for shop, noted in zip((small, large), times, strict=True):
            await requests(shop, noted)
    if with_lane:
        for _ in range(BATCHES):
            for shop, noted in zip((small, large), times, strict=True):
                await lane(shop, noted)
    return figures(*times)


def figures(small: Times, large: Times) -> list[Figure]:
    return [
        Figure(name=name, small=small[name], large=large[name], is_part=name == LOOK)
        for name in large
    ]


async def warm_up(shop: Shop) -> None:
    """Has every statement planned as often as it takes until its plan is kept."""
    for _ in range(WARM_UP):
        await requests(shop, {})
    for _ in range(WARM_UP // 2):
        await lane(shop, {})
