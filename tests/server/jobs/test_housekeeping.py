"""What is forgotten, and when."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from domains.purchases.model.delivery import KEPT
from domains.purchases.service import DeliveriesService, PurchasesService
from domains.purchases.service.purchases import CLAIMS_KEPT
from infrastructure.database import repeated_call
from infrastructure.database.transaction import Database, Transaction
from server.jobs.housekeeping import BATCH_SIZE, BATCHES_MAX, RUN_EVERY, Housekeeping
from server.repeating import RETRY_AFTER
from tests.support.books import count_of, order_of, read
from tests.support.flows import NOON
from tests.support.partitions import keep_months_as_of
from tests.support.races import beside
from tests.support.shop import Shop, a_shop

MOMENT = timedelta(microseconds=1)
_WAITING = """
    SELECT count(*) FROM order_claim WHERE merchant_id = :merchant_id AND order_reference = :order
"""
# Of the time of the first order's claim, and a little older.
_CLAIMS = """
    INSERT INTO order_claim
    SELECT merchant_id, order_reference, sha256(number::text::bytea), identity_group_id,
           claim_time, create_time - interval '1 second'
    FROM order_claim, generate_series(1, :claims) AS number WHERE order_reference = 'A-1'
"""
_CALLS = """
    INSERT INTO repeated_call (principal, method, request_id, digest, create_time)
    SELECT '', '', gen_random_uuid(), '', :made FROM generate_series(1, :calls)
"""


def housekeeping_of(shop: Shop) -> Housekeeping:
    purchases: PurchasesService = shop.flows.purchases
    deliveries: DeliveriesService = shop.flows.deliveries

    async def keep_months(tx: Transaction) -> None:
        await keep_months_as_of(tx, shop.flows.clock())

    return Housekeeping(
        database=shop.database,
        keep_months=keep_months,
        purchases=purchases,
        deliveries=deliveries,
        clock=shop.flows.clock,
    )


async def waiting(shop: Shop, order: str) -> int:
    (row,) = await read(shop.database, _WAITING, merchant_id=shop.merchant_id, order=order)
    number: int = row.count
    return number


async def test_a_claim_that_no_report_met_waits_for_thirty_days(database: Database) -> None:
    """A shop that is late would find its buyers' claims gone, or invented ones stay for ever."""
    shop = await a_shop(database)
    await shop.claim("buyer", "never reported")
    # Claims of known orders that show another token.
    for order in ("reported", "reported as well"):
        await shop.report(order)
    await shop.claim("buyer", "reported as well", token="another")
    await shop.claim("buyer", "reported", token="another")
    shop.flows.clock.advance(timedelta(days=1))
    await shop.claim("other", "reported", token="another")
    await shop.claim("other", "claimed again")

    shop.flows.clock.now = NOON + CLAIMS_KEPT
    await housekeeping_of(shop).run()
    assert (await waiting(shop, "never reported"), await waiting(shop, "reported")) == (1, 2)

    shop.flows.clock.advance(MOMENT)
    await housekeeping_of(shop).run()

    assert await waiting(shop, "reported") == 1
    assert await waiting(shop, "claimed again") == 1
    assert (await order_of(shop, "reported")).state == "confirmed"
    orders = await read(database, "SELECT order_reference FROM shop_order ORDER BY 1")
    assert [each.order_reference for each in orders] == [
        "claimed again",
        "reported",
        "reported as well",
    ]


async def test_an_order_is_kept_as_long_as_one_of_its_claims_waits(database: Database) -> None:
    """A claim of yesterday would be lost with one of last month."""
    shop = await a_shop(database)
    await shop.claim("early", "A-1")
    shop.flows.clock.advance(timedelta(days=20))
    await shop.claim("late", "A-1")
    shop.flows.clock.now = NOON + CLAIMS_KEPT + MOMENT

    await housekeeping_of(shop).run()

    assert await waiting(shop, "A-1") == 1
    await shop.report("A-1")
    assert (await order_of(shop, "A-1")).link == "claim"


async def test_forgetting_waits_for_nobody(real_database: Database) -> None:
    """One hanging transaction would stop the cleaning of everything."""
    shop = await a_shop(real_database)
    for order in ("held", "free"):
        await shop.claim("buyer", order)
    shop.flows.clock.now = NOON + CLAIMS_KEPT + MOMENT

    async with real_database.transaction() as tx:
        await tx.execute(
            text("SELECT 1 FROM shop_order WHERE order_reference = 'held' FOR NO KEY UPDATE")
        )
        async with asyncio.timeout(5):
            await beside(housekeeping_of(shop).run())

    assert (await waiting(shop, "held"), await waiting(shop, "free")) == (1, 0)


async def test_claims_are_forgotten_in_bounded_steps(database: Database) -> None:
    """Strangers choose how many claims an order has: its row would be locked for all of them."""
    shop = await a_shop(database)
    for order in ("A-1", "B-1"):
        await shop.claim("stranger", order, token="invented")
    async with database.transaction() as tx:
        await tx.execute(text(_CLAIMS), {"claims": 3 * BATCH_SIZE})
    shop.flows.clock.now = NOON + CLAIMS_KEPT + MOMENT

    async with database.transaction() as tx:
        forgotten = await shop.flows.purchases.forget_claims(
            tx, now=shop.flows.clock.now, batch_size=BATCH_SIZE
        )
    assert forgotten == BATCH_SIZE
    # Of an order that has more of them, none but these are gone.
    assert await waiting(shop, "A-1") == 2 * BATCH_SIZE + 1
    assert await housekeeping_of(shop).run() == RUN_EVERY

    orders = await read(database, "SELECT 1 FROM shop_order")
    assert (await waiting(shop, "A-1"), await waiting(shop, "B-1"), len(orders)) == (0, 0, 0)


async def test_a_delivery_is_kept_for_ninety_days(database: Database) -> None:
    """A shop's repetition would be applied anew, or its messages be kept for ever."""
    shop = await a_shop(database)
    await shop.report("A-1")

    for elapsed, kept in ((KEPT, 1), (KEPT + MOMENT, 0)):
        shop.flows.clock.now = NOON + elapsed
        await housekeeping_of(shop).run()
        assert await count_of(shop, "delivery") == kept


async def test_a_request_id_is_kept_for_a_day(database: Database) -> None:
    """A call that comes again within its day would have its effect twice."""
    shop = await a_shop(database)
    async with database.transaction() as tx:
        await tx.execute(text(_CALLS), {"made": NOON, "calls": 1})

    for elapsed, kept in ((repeated_call.KEPT, 1), (repeated_call.KEPT + MOMENT, 0)):
        shop.flows.clock.now = NOON + elapsed
        await housekeeping_of(shop).run()
        rows = await read(database, "SELECT 1 FROM repeated_call")
        assert len(rows) == kept


@pytest.mark.parametrize(
    ("calls", "left"), [(3 * BATCH_SIZE, 0), (BATCH_SIZE * BATCHES_MAX + 1, 1)]
)
async def test_much_is_forgotten_in_bounded_steps(
    database: Database, calls: int, left: int
) -> None:
    """A run would stop after its first step, or have no end; the rest would wait for an hour."""
    shop = await a_shop(database)
    async with database.transaction() as tx:
        await tx.execute(text(_CALLS), {"made": NOON, "calls": calls})
    shop.flows.clock.now = NOON + timedelta(days=2)

    next_run = await housekeeping_of(shop).run()

    assert len(await read(database, "SELECT 1 FROM repeated_call")) == left
    assert next_run == (RETRY_AFTER if left else RUN_EVERY)
