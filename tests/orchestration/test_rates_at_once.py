"""Rates that are announced while orders are written, other rates fail, or lanes ask again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import Pair
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from orchestration.lane.flow.announcing import ANNOUNCED_MAX
from orchestration.lane.flow.prepared import BatchOutcome
from server.jobs.rate_announcements import RateAnnouncements
from tests.orchestration.test_late_rates import TENTH, announce, observe, unannounced
from tests.support.books import order_of, read
from tests.support.connections import at_once, holding
from tests.support.flows import NOON, flows_on
from tests.support.orders import add_order
from tests.support.races import beside
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

DOLLARS = Pair(base="USD", quote="EUR")
POUNDS = Pair(base="GBP", quote="EUR")
HELD = "SELECT 1 FROM shop_order WHERE order_reference = :order FOR NO KEY UPDATE"
_MANY = """
    INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
        first_report_time, state,
        event_time, body_hash, order_time, total, currency, items, interaction_generation,
        due_time, needed_rate)
    SELECT merchant_id, 'B-' || number, create_time, gen_random_uuid(), first_report_time,
           state, event_time, body_hash, order_time, total, currency, items,
           interaction_generation, due_time, needed_rate
    FROM shop_order, generate_series(1, :count) AS number WHERE merchant_id = :shop
"""
_TELL_SLOWLY = """
    CREATE FUNCTION tell_slowly() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END$$
"""
_SLOW = """
    CREATE TRIGGER slow BEFORE UPDATE ON shop_order FOR EACH ROW
    WHEN (OLD.needed_rate = 'USD/EUR') EXECUTE FUNCTION tell_slowly()
"""


async def many_wait(shop: Shop, count: int) -> None:
    """So many orders, and one more, wait for dollars."""
    later = NOON + timedelta(hours=1)
    async with shop.database.transaction() as tx:
        await add_order(tx, shop.merchant_id, "A-1", due_time=later, needed_rate="USD/EUR")
        await tx.execute(text(_MANY), {"shop": shop.merchant_id, "count": count})


async def told_count(database: Database) -> int:
    (told,) = await read(
        database, "SELECT count(*) FROM shop_order WHERE due_time = :now", now=NOON
    )
    return int(told.count)


async def number_rates(database: Database) -> None:
    """Gives the rate of the dollar the first id, that of the pound the second one."""
    async with database.transaction() as tx:
        for number, currency in enumerate(("USD", "GBP"), start=1):
            await tx.execute(
                text("UPDATE exchange_rate SET exchange_rate_id = :id WHERE base_currency = :base"),
                {"id": UUID(int=number), "base": currency},
            )


@asynccontextmanager
async def slow_dollars(database: Database, seconds: float) -> AsyncIterator[None]:
    """Each order that waits for dollars takes so long to be told."""
    async with database.transaction() as tx:
        await tx.execute(text(_TELL_SLOWLY.format(seconds=seconds)))
        await tx.execute(text(_SLOW))
    try:
        yield
    finally:
        async with database.transaction() as tx:
            await tx.execute(text("DROP TRIGGER slow ON shop_order"))
            await tx.execute(text("DROP FUNCTION tell_slowly"))


async def test_many_orders_hear_of_a_rate_in_bounded_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more orders than one step reaches, the rest would wait for an hour."""
    shop = await a_shop(database)
    await many_wait(shop, ANNOUNCED_MAX)
    await observe(shop, "0.9")
    flow = shop.flows.rate_announcement
    released = []
    real = flow.announce

    async def announce_counted(*asked: Any, **more: Any) -> Any:
        step = await real(*asked, **more)
        released.append(step.released_count)
        return step

    monkeypatch.setattr(flow, "announce", announce_counted)
    assert await announce(shop)

    assert released == [ANNOUNCED_MAX, 1]
    assert await told_count(database) == ANNOUNCED_MAX + 1
    assert await unannounced(database) == 0


async def test_a_run_ends_and_the_next_one_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate that many wait for would keep a worker from being stopped."""
    monkeypatch.setattr("server.jobs.rate_announcements.STEPS_MAX", 1)
    shop = await a_shop(database)
    await many_wait(shop, ANNOUNCED_MAX)
    await observe(shop, "0.9")
    job = RateAnnouncements(flow=shop.flows.rate_announcement)

    await job.run()
    assert await told_count(database) == ANNOUNCED_MAX
    await job.run()
    assert await told_count(database) == ANNOUNCED_MAX + 1


async def test_an_order_that_is_written_holds_up_no_rate(
    engine: AsyncEngine, real_database: Database
) -> None:
    """One report that waits would stop the announcement of all rates at all merchants."""
    one, other = await a_shop(real_database, TENTH), await a_shop(real_database, TENTH)
    await one.buy("buyer", "dollars", currency="USD")
    await one.buy("buyer", "dollars too", currency="USD")
    await other.buy("buyer", "pounds", currency="GBP")
    for shop in (one, other):
        await shop.work()
    await observe(one, "0.9", pair=DOLLARS)
    await observe(other, "0.9", pair=POUNDS)
    await number_rates(real_database)

    async with holding(engine, HELD, order="dollars"), asyncio.timeout(5):
        assert await announce(one)
        assert (await order_of(one, "dollars too")).needed_rate is None
        assert (await order_of(other, "pounds")).needed_rate is None
        # The rate is not forgotten for the one that is left; nor is there anything to decide.
        assert (await unannounced(real_database), await announce(one)) == (1, False)

    assert await announce(one)
    assert (await order_of(one, "dollars")).needed_rate is None
    assert await unannounced(real_database) == 0


async def test_a_full_step_of_orders_that_are_written_ends_a_rate_s_turn(
    engine: AsyncEngine, real_database: Database
) -> None:
    """The walk would go round in it for ever, and never come to the next rate."""
    shop = await a_shop(real_database)
    async with real_database.transaction() as tx:
        for order, needed in (("dollars", "USD/EUR"), ("pounds", "GBP/EUR")):
            await add_order(tx, shop.merchant_id, order, needed_rate=needed)
    for pair in (DOLLARS, POUNDS):
        await observe(shop, "0.9", pair=pair)
    await number_rates(real_database)
    flow = shop.flows.rate_announcement
    dollars = await flow.next_rate(None)
    assert dollars is not None

    async with holding(engine, HELD, order="dollars"), asyncio.timeout(5):
        step = await flow.announce(dollars, limit=1)
    assert (step.released_count, step.is_last) == (0, True)
    assert await unannounced(real_database) == 2
    # All of a full step were told: there may be more.
    step = await flow.announce(dollars, limit=1)
    assert (step.released_count, step.is_last) == (1, False)
    assert await unannounced(real_database) == 2


@pytest.mark.parametrize(("seconds", "is_told"), [(0.01, True), (1, False)])
async def test_a_rate_that_takes_too_long_takes_smaller_steps_and_stops_no_other(
    real_database: Database, postgres: Postgres, seconds: float, is_told: bool
) -> None:
    """A step that takes too long would be tried again for ever, and others wait for it."""
    shop = await a_shop(real_database, TENTH)
    await many_wait(shop, 49)
    async with real_database.transaction() as tx:
        await add_order(tx, shop.merchant_id, "pounds", needed_rate="GBP/EUR")
    for pair in (DOLLARS, POUNDS):
        await observe(shop, "0.9", pair=pair)
    await number_rates(real_database)
    pool = create_engine(
        postgres.url,
        pool_size=2,
        application_name="hasty",
        limits=Limits(statement=timedelta(milliseconds=300)),
    )
    flows = flows_on(database_of(pool), clock=shop.flows.clock)
    job = RateAnnouncements(flow=flows.rate_announcement)

    async with slow_dollars(real_database, seconds):
        await job.run()
    await pool.dispose()

    assert (await order_of(shop, "pounds")).needed_rate is None
    assert ((await order_of(shop, "A-1")).needed_rate is None) is is_told
    assert await unannounced(real_database) == (0 if is_told else 1)


async def test_a_rate_that_fails_stops_no_other(real_database: Database) -> None:
    """Whatever is wrong with one order would keep all rates from being announced."""
    shop = await a_shop(real_database, a_campaign())
    async with real_database.transaction() as tx:
        for order, needed in (("dollars", "USD/EUR"), ("pounds", "GBP/EUR")):
            await add_order(tx, shop.merchant_id, order, needed_rate=needed)
        await tx.execute(
            text(
                """ALTER TABLE shop_order ADD CONSTRAINT mistake
                CHECK (order_reference <> 'dollars' OR needed_rate IS NOT NULL)"""
            )
        )
    for pair in (DOLLARS, POUNDS):
        await observe(shop, "0.9", pair=pair)
    await number_rates(real_database)

    try:
        assert await announce(shop)
    finally:
        async with real_database.transaction() as tx:
            await tx.execute(text("ALTER TABLE shop_order DROP CONSTRAINT mistake"))

    assert (await order_of(shop, "pounds")).needed_rate is None
    assert await unannounced(real_database) == 1


async def test_lanes_that_ask_for_the_same_rates_lock_them_in_one_order(
    real_database: Database,
) -> None:
    """Each would wait for the other, one would end, and its orders wait for an hour."""
    shop = await a_shop(real_database)
    for pair in (DOLLARS, POUNDS):
        await observe(shop, "0.9", pair=pair)
    await announce(shop)
    asked = [(DOLLARS, NOON), (POUNDS, NOON), (DOLLARS, NOON)]
    others = flows_on(real_database)

    for _ in range(30):
        await at_once(
            lambda: shop.flows.turns.announce_again(BatchOutcome(needed_rates=asked)),
            lambda: others.turns.announce_again(BatchOutcome(needed_rates=asked[1:])),
        )
        assert await unannounced(real_database) == 2
        await announce(shop)


async def test_rates_are_locked_from_the_first_one_on(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Two lanes that lock the same rates in two orders would each wait for the other."""
    shop = await a_shop(real_database)
    pairs = [Pair(base=f"A{first}{last}", quote="EUR") for first in "ABCDE" for last in "ABCDEF"]
    for pair in pairs:
        await observe(shop, "0.9", pair=pair)
    await announce(shop)
    asked = [(pair, NOON) for pair in reversed(pairs)]

    first = "SELECT 1 FROM exchange_rate ORDER BY exchange_rate_id LIMIT 1 FOR UPDATE"
    async with holding(engine, first) as holder:
        asking = beside(shop.flows.turns.announce_again(BatchOutcome(needed_rates=asked)))
        await holder.until_awaited()
        free = await read(real_database, "SELECT 1 FROM exchange_rate FOR UPDATE SKIP LOCKED")
        assert len(free) == len(pairs) - 1
    await asking


async def test_asking_again_is_done_again_after_a_deadlock(
    real_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order whose rate came while it began to wait would not hear of it."""
    shop = await a_shop(real_database)
    await observe(shop, "0.9")
    await announce(shop)
    rates = shop.flows.rates
    real = rates.announce_again
    calls = 0

    async def fail_once(tx: Any, asked: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await tx.execute(text("DO $$BEGIN RAISE SQLSTATE '40P01'; END$$"))
        await real(tx, asked)

    monkeypatch.setattr(rates, "announce_again", fail_once)
    await shop.flows.turns.announce_again(BatchOutcome(needed_rates=[(DOLLARS, NOON)]))

    assert await unannounced(real_database) == 1


async def test_steps_grow_again_after_one_that_took_too_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slow moment would have orders announced a hundred at a time from then on."""
    shop = await a_shop(database)
    await many_wait(shop, 500)
    await observe(shop, "0.9")
    flow = shop.flows.rate_announcement
    limits: list[int] = []
    announce_once = flow.announce

    async def slow_at_first(*asked: Any, limit: int) -> Any:
        limits.append(limit)
        if len(limits) == 1:
            raise asyncpg.QueryCanceledError
        return await announce_once(*asked, limit=limit)

    monkeypatch.setattr(flow, "announce", slow_at_first)
    await RateAnnouncements(flow=flow).run()

    assert limits[:4] == [ANNOUNCED_MAX, 100, 200, 400]
