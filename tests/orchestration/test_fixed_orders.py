"""Orders that are fixed: what comes before they are decided, or are not decided after all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.purchases.model.lane_queue import LetGo
from domains.rewards.model import InteractionState
from infrastructure.database.transaction import Database, Transaction
from orchestration.lane.flow.prepared import PreparedBatch
from tests.orchestration.test_lane_rounds import a_decided_life, prepared
from tests.orchestration.test_late_rates import announce, observe
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    order_of,
    read,
    rewards_of,
    states_of,
)
from tests.support.connections import Holder, holding
from tests.support.flows import NOON
from tests.support.races import beside
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TENTH = a_campaign("tenth", amount=percent("10"))

Deed = Callable[[Shop], Awaitable[UUID | None]]


async def claims(shop: Shop) -> UUID:
    """The buyer shows the order's token."""
    return (await shop.claim("buyer", "A-1")).identity_group_id


async def carries_a_token(shop: Shop) -> UUID:
    """A report carries the token that somebody has shown; then a stranger shows it as well."""
    (waiting,) = await read(shop.database, "SELECT identity_group_id FROM order_claim")
    await shop.report("A-1", ordered=NOON, currency="USD", clientId="hinted", token="second")
    shop.flows.clock.advance(SECOND)
    await shop.claim("stranger", "A-1", token="second")
    buyer: UUID = waiting.identity_group_id
    return buyer


async def hints(shop: Shop) -> UUID:
    """A newer report names another browser."""
    await shop.report("A-1", ordered=NOON, currency="USD", clientId="another")
    return (await shop.arrive("another")).identity_group_id


async def dates(shop: Shop) -> None:
    """A report says that the order was placed two days earlier."""
    await shop.report("A-1", ordered=NOON - 2 * DAY, currency="USD", clientId="hinted")


async def wait_for_a_rate(shop: Shop, batch: PreparedBatch) -> None:
    """The batch ends: its order is not decided, because there is no rate."""
    outcome = await shop.flows.turns.decide(batch)
    assert outcome is not None
    assert (outcome.decided_count, outcome.waiting_count) == (0, 1)
    await shop.flows.turns.finish(batch, outcome.let_go, is_complete=True)


@pytest.mark.parametrize("while_fixed", [False, True])
@pytest.mark.parametrize("deed", [claims, carries_a_token, hints, dates])
async def test_what_comes_while_an_order_is_fixed_counts_if_it_is_not_decided(
    database: Database, deed: Deed, while_fixed: bool
) -> None:
    """Who earns, and how much, would depend on whether a worker was about to decide."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-1", currency="USD", clientId="hinted")
    await shop.claim("second", "A-1", token="second")
    hinted = (await shop.arrive("hinted")).identity_group_id
    shop.flows.clock.advance(SECOND)

    batch = await prepared(shop)
    buyer = await deed(shop) if while_fixed else None
    before = await order_of(shop, "A-1")
    assert (before.identity_group_id, before.order_time) == (hinted, NOON)
    await wait_for_a_rate(shop, batch)
    if not while_fixed:
        buyer = await deed(shop)
    await observe(shop, "0.9", NOON - 3 * DAY)
    await observe(shop, "0.5", NOON - HOUR)
    await announce(shop)
    await shop.work()

    (reward,) = await rewards_of(shop)
    assert reward.person == (buyer or hinted)
    assert await amounts_of(shop) == [("purchase:A-1", 9_000_000 if deed is dates else 5_000_000)]
    await assert_books_balance(database)


@pytest.mark.parametrize("deed", [claims, carries_a_token, hints, dates])
async def test_what_comes_while_an_order_is_fixed_changes_nothing_once_it_is_decided(
    database: Database, deed: Deed
) -> None:
    """An order would be another person's than its rewards."""
    shop = await a_shop(database, TENTH)
    await observe(shop, "0.5", NOON - HOUR)
    await shop.report("A-1", currency="USD", clientId="hinted")
    await shop.claim("second", "A-1", token="second")
    hinted = (await shop.arrive("hinted")).identity_group_id
    shop.flows.clock.advance(SECOND)

    batch = await prepared(shop)
    await deed(shop)
    outcome = await shop.flows.turns.decide(batch)
    assert outcome is not None
    await shop.flows.turns.finish(batch, outcome.let_go, is_complete=True)
    await deed(shop)

    order = await order_of(shop, "A-1")
    assert (order.identity_group_id, order.link, order.order_time) == (hinted, "client", NOON)
    assert await amounts_of(shop) == [("purchase:A-1", 5_000_000)]
    await assert_books_balance(database)


async def test_an_order_in_another_currency_meanwhile_does_not_wait_for_its_old_rate(
    database: Database,
) -> None:
    """It would wait an hour, and its lane ask for a rate that nobody needs."""
    shop = await a_shop(database, TENTH)
    await shop.buy("buyer", "A-1", currency="USD")
    batch = await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", ordered=NOON)

    await wait_for_a_rate_in_dollars(shop, batch)

    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.needed_rates == []
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 10_000_000)]


async def wait_for_a_rate_in_dollars(shop: Shop, batch: PreparedBatch) -> None:
    """The batch ends as if it had been loaded before the order was corrected."""
    (order,) = batch.orders
    await shop.flows.turns.finish(
        batch,
        [
            LetGo(
                order_reference=order.order_reference,
                generation=order.generation,
                is_decided=False,
                due_time=shop.flows.clock.now + HOUR,
                needed_rate="USD/EUR",
            )
        ],
        is_complete=True,
    )


@pytest.mark.parametrize("is_busy", [False, True])
async def test_a_life_that_was_fixed_and_ended_leaves_the_next_one_to_its_buyer(
    engine: AsyncEngine, real_database: Database, is_busy: bool
) -> None:
    """Refunded before it was decided, and paid again: proof would come too late for good."""
    shop = await a_shop(real_database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    # The worker dies here.
    await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", "refunded", ordered=NOON)
    if is_busy:
        lock = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"
        async with holding(engine, lock):
            await shop.look()
    await shop.work()
    assert (await order_of(shop, "A-1")).fixed_generation == 0
    shop.flows.clock.advance(SECOND)
    buyer = await claims(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", ordered=NOON, clientId="hinted")

    await shop.work()

    (reward,) = await rewards_of(shop)
    assert reward.person == buyer
    await assert_books_balance(real_database)


async def test_a_life_that_was_decided_and_not_let_go_of_keeps_its_buyer(
    database: Database,
) -> None:
    """A worker dies, the order is refunded and paid again: it would become another person's."""
    shop, hinted, _ = await a_decided_life(database)
    await shop.report("A-1", "refunded", ordered=NOON)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", ordered=NOON)
    await claims(shop)

    await shop.work()

    order = await order_of(shop, "A-1")
    assert (order.identity_group_id, order.decided_generation) == (hinted, 2)
    assert [each.person for each in await rewards_of(shop)] == [hinted, hinted]
    assert await amounts_of(shop) == [("purchase:A-1", 0), ("purchase:A-1#2", 1_000_000)]
    await assert_books_balance(database)


async def a_dead_one(shop: Shop) -> PreparedBatch:
    """One of two orders has failed for the fifth time; its order is not let go of yet."""
    for order in ("A-1", "A-2"):
        await shop.buy("buyer", order)
    batch = await prepared(shop)
    async with shop.database.transaction() as tx:
        await tx.execute(
            text(
                """
                UPDATE interaction SET state = 'dead', try_count = 5
                WHERE order_reference = 'A-1'
                """
            )
        )
    return batch


LET_GO = LetGo(order_reference="A-1", generation=1, is_decided=False)


async def test_a_dead_one_that_is_tried_again_at_once_is_decided(database: Database) -> None:
    """Between two commits of a worker, an operator's retry would lose the order for good."""
    shop = await a_shop(database, a_campaign())
    batch = await a_dead_one(shop)

    assert await shop.flows.lane.retry_dead(shop.merchant_id, None, repeat=None) == 1
    await shop.flows.turns.finish(batch, [LET_GO], is_complete=False)
    await shop.work()

    assert (await states_of(shop))["purchase:A-1"] is InteractionState.DECIDED


async def test_a_retry_that_waits_for_an_order_sees_what_became_of_it(
    engine: AsyncEngine, real_database: Database
) -> None:
    """It would go by what it had read before the wait, and leave the order without a time."""
    shop = await a_shop(real_database, a_campaign())
    batch = await a_dead_one(shop)

    async with engine.connect() as connection:
        await shop.flows.purchases.let_go(
            Transaction(connection),
            shop.merchant_id,
            [LET_GO],
            round_number=batch.lane.round_number,
        )
        retrying = beside(shop.flows.lane.retry_dead(shop.merchant_id, None, repeat=None))
        await Holder(connection).until_awaited()
        await connection.commit()
    assert await retrying == 1
    await shop.work()

    assert (await states_of(shop))["purchase:A-1"] is InteractionState.DECIDED
