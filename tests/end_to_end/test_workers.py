"""Worker processes on a database: frozen, busy with a slow shop, waiting for a rate."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import ExchangeRate, Pair, PercentageAmount
from infrastructure.database.engine import database_of
from localmesh.postgres import Postgres
from tests.support import typed
from tests.support.books import amounts_of, assert_books_balance, events_of
from tests.support.connections import holding
from tests.support.flows import Clock, flows_on
from tests.support.mesh import own_database, process_environment
from tests.support.rules import Limit, a_campaign, percent
from tests.support.shop import Shop, a_shop
from vocabulary.ids import ExchangeRateId

GO_ON_SECONDS_MAX = 10
SLOW_SHOP_DELAY_SECONDS_MAX = 2
RATE_SECONDS_MAX = 2
WAIT_SECONDS_MAX = 30
POLL_SECONDS = 0.02
# Every reward of one merchant takes longer than any statement may.
_SLOW_SHOP = """
    CREATE FUNCTION slow_shop() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.merchant_id = '{merchant_id}' THEN PERFORM pg_sleep(60); END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER slow_shop BEFORE INSERT ON reward FOR EACH ROW EXECUTE FUNCTION slow_shop();
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A database of a test's own, and where it is."""

    engine: AsyncEngine
    url: str


@pytest.fixture
async def site(postgres: Postgres) -> AsyncIterator[Site]:
    async with own_database(postgres, pool_size=8) as engine:
        yield Site(engine=engine, url=postgres.role_url_of(engine.url.database or ""))


@asynccontextmanager
async def a_worker(site: Site) -> AsyncIterator[typed.Command]:
    """A worker process, ended when the block ends whatever became of it."""
    process = await typed.start("work", environment=process_environment(site.url))
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def a_paying_shop(site: Site, amount: PercentageAmount | None = None) -> Shop:
    clock = Clock(datetime.now(UTC))
    flows = flows_on(database_of(site.engine), clock=clock)
    return await a_shop(flows, a_campaign(amount=amount, limits=(Limit(amount="1000"),)))


async def until_paid(shop: Shop, count: int) -> float:
    """How many seconds it takes until a shop has so many rewards."""
    begin = time.monotonic()
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while len(await amounts_of(shop)) < count:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - begin


async def test_the_lane_of_a_frozen_worker_goes_on(site: Site) -> None:
    """A machine that stands still with a lane in hand would stop its merchant's rewards."""
    shop = await a_paying_shop(site)
    async with a_worker(site) as frozen:
        await shop.buy("buyer", "A-0")
        await until_paid(shop, 1)
        async with holding(site.engine, "LOCK TABLE transfer IN SHARE MODE") as holder:
            for number in range(1, 6):
                await shop.buy("buyer", f"A-{number}")
            # It is within its batch: the orders are fixed, the rewards are being written.
            await holder.until_awaited()
            frozen.send_signal(signal.SIGSTOP)
        async with a_worker(site) as other:
            seconds = await until_paid(shop, 6)
            amounts = await amounts_of(shop)
            frozen.send_signal(signal.SIGCONT)
            await shop.buy("buyer", "A-6")
            await until_paid(shop, 7)
            assert other.returncode is None
        # Thawed, it works on, and what it had begun has changed nothing.
        await shop.buy("buyer", "A-7")
        await until_paid(shop, 8)
        assert frozen.returncode is None
    assert seconds < GO_ON_SECONDS_MAX
    assert amounts == [(f"purchase:A-{number}", 1_000_000) for number in range(6)]
    assert (await amounts_of(shop))[:6] == amounts
    await assert_books_balance(shop.database)


async def test_a_shop_whose_statements_all_time_out_delays_no_other(site: Site) -> None:
    """One shop with damaged or enormous books would take all the time that there is."""
    slow, quick = await a_paying_shop(site), await a_paying_shop(site)
    async with site.engine.begin() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.execute(_SLOW_SHOP.format(merchant_id=slow.merchant_id))
    async with a_worker(site):
        await quick.buy("buyer", "first")
        await until_paid(quick, 1)
        for number in range(10):
            await slow.buy("buyer", f"A-{number}")
        for number in range(5):
            await quick.buy("buyer", f"B-{number}")
            assert await until_paid(quick, 2 + number) < SLOW_SHOP_DELAY_SECONDS_MAX
        async with site.engine.begin() as connection:
            busy = await connection.execute(
                text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
            )
            assert busy.scalar_one() == 1


async def test_a_rate_that_comes_late_is_heard_of_in_two_seconds(site: Site) -> None:
    """An order would wait for up to an hour for a rate that is there."""
    shop = await a_paying_shop(site, percent("10"))
    async with a_worker(site):
        await shop.buy("buyer", "euros")
        await until_paid(shop, 1)
        await shop.buy("buyer", "dollars", currency="USD")
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not any(each.needed_rate for each in await events_of(shop)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(POLL_SECONDS)

        async with shop.database.transaction() as tx:
            await shop.flows.rates.add(
                tx,
                ExchangeRate(
                    exchange_rate_id=ExchangeRateId(uuid4()),
                    pair=Pair(base="USD", quote="EUR"),
                    rate=Decimal("0.9"),
                    observe_time=shop.flows.clock.now - timedelta(minutes=1),
                    source="test",
                    create_time=shop.flows.clock.now,
                ),
            )

        assert await until_paid(shop, 2) < RATE_SECONDS_MAX
    assert dict(await amounts_of(shop))["purchase:dollars"] == 9_000_000
