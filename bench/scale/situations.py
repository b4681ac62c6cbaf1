"""The situations in which a shop is large."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text

from bench.scale.loads import (
    CHAIN,
    ENDED_LINKS,
    INVENTED_CLAIMS,
    MERCHANTS,
    TOUCHES,
    WAITING_ORDERS,
)
from bench.scale.shop import BUYER, CLAIMED, FRIENDS, Shop
from bench.scale.timing import BATCHES, LOOK, Figure, Times, compare, figures, lane, timed
from server.wiring import REWARD_BATCH_SIZE

TOUCHES_MANY = 100_000
CHAIN_PEOPLE = 30_000
WAITING = 300_000
DUE = 100_000
DECISIONS = 200_000
CLAIMS = 10_000
MERCHANTS_MANY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Makes a shop large and measures it beside a small one."""

    name: str
    measure: Callable[[Shop, Shop], Awaitable[list[Figure]]]


async def touches(small: Shop, large: Shop) -> list[Figure]:
    """One browser came again and again, each time by another link."""
    await large.run(TOUCHES, touches=TOUCHES_MANY)
    await large.run(ENDED_LINKS, links=TOUCHES_MANY // 2)
    await _analyze(large)
    return await compare(small, large)


async def chain(small: Shop, large: Shop) -> list[Figure]:
    """Everybody was brought by somebody, for long."""
    await large.run(CHAIN, people=CHAIN_PEOPLE, friends=list(FRIENDS))
    await _analyze(large)
    return await compare(small, large)


async def waiting(small: Shop, large: Shop) -> list[Figure]:
    """Many orders are not due yet."""
    await large.run(WAITING_ORDERS, prefix="waiting-", orders=WAITING)
    await _analyze(large)
    return await compare(small, large)


async def due(small: Shop, large: Shop) -> list[Figure]:
    """Many orders came due at once, of which PostgreSQL has no idea."""
    await large.add_due_orders(orders=DUE)
    found = await compare(small, large, with_lane=False)
    slow: Times = {}
    quick: Times = {}
    waits = await large.look()
    assert waits is not None, "something is due"
    # All that is due is taken into the round before the first batch: each has its part of that.
    begin = time.perf_counter()
    batch = await large.prepare(waits)
    seconds = time.perf_counter() - begin
    print(f"{DUE:,} due orders were taken into a round in {seconds:.1f} s")
    share = seconds * REWARD_BATCH_SIZE / DUE
    for _ in range(BATCHES):
        await lane(small, quick)
        assert batch is not None, "something is due"
        await timed(slow, "batch of 200", partial(large.decide, batch))
        await timed(slow, LOOK, large.look)
        begin = time.perf_counter()
        batch = await large.prepare(waits)
        fixed = time.perf_counter() - begin
        slow.setdefault("lane claim", []).append(slow[LOOK][-1] + fixed + share)
    return [*found, *figures(quick, slow)]


async def snapshot(small: Shop, large: Shop) -> list[Figure]:
    """A backup runs while the worker decides: nothing that it wrote over can be cleaned away."""
    async with AsyncExitStack() as stack:
        backup = await stack.enter_async_context(large.engine.connect())
        await backup.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await backup.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await backup.execute(text("SELECT count(*) FROM merchant"))
        for _ in range(DECISIONS // 10_000):
            await large.add_due_orders(orders=10_000)
            found = await large.look()
            assert found is not None, "something is due"
            while (batch := await large.prepare(found)) is not None:
                await large.decide(batch)
        measured = await compare(small, large)
        await backup.rollback()
    return measured


async def claims(small: Shop, large: Shop) -> list[Figure]:
    """Somebody guessed an order's id and claimed it with tokens of their own."""
    order = "guessed"
    await large.run(INVENTED_CLAIMS, order_reference=order, claims=CLAIMS)
    await large.claim(order)
    await large.report(order)
    taken = await large.claim(order)
    assert taken.purchase_id is not None, "the buyer's claim is taken"
    await large.run(INVENTED_CLAIMS, order_reference=CLAIMED, claims=CLAIMS)
    await _analyze(large)
    return await compare(small, large)


async def merchants(small: Shop, large: Shop) -> list[Figure]:
    """Many shops, each of which has to be looked at."""
    await large.run(MERCHANTS, merchants=MERCHANTS_MANY)
    await _analyze(large)
    return [
        figure
        for figure in await compare(small, large)
        if figure.name in {LOOK, "lane claim", "arrival", "webhook"}
    ]


async def _analyze(shop: Shop) -> None:
    auto = shop.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with auto.connect() as connection:
        await connection.execute(text("ANALYZE"))


async def begin_small(shop: Shop) -> None:
    """What every shop has: a buyer, two friends, an order that is claimed."""
    for friend in FRIENDS:
        await shop.arrive(friend)
    await shop.arrive(BUYER)
    await shop.arrive_by_link()
    await shop.report(CLAIMED)
    await shop.claim(CLAIMED)


SITUATIONS = (
    Situation(name=f"{TOUCHES_MANY:,} touches of one browser", measure=touches),
    Situation(name=f"a chain of {CHAIN_PEOPLE:,}", measure=chain),
    Situation(name=f"{WAITING:,} waiting interactions", measure=waiting),
    Situation(name=f"{DUE:,} due ones unknown to statistics", measure=due),
    Situation(name=f"{CLAIMS:,} invented claims for one order", measure=claims),
    Situation(name=f"a snapshot held over {DECISIONS:,} decisions", measure=snapshot),
)
MEASURED_ONLY = (Situation(name=f"{MERCHANTS_MANY:,} merchants", measure=merchants),)
