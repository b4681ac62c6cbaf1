"""How often the hot paths ask the database. BEGIN, COMMIT and COPY are not counted."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import Recipient, Trigger
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of
from tests.support.counting import counting
from tests.support.flows import NOON
from tests.support.rules import Limit, a_campaign, chained, percent
from tests.support.shop import a_shop


async def test_an_arrival_is_one_statement_and_two_with_a_referrer(
    acting_engine: AsyncEngine, real_database: Database
) -> None:
    """Every page view of every shop would cost another round trip."""
    shop = await a_shop(real_database)

    with counting(acting_engine) as new_visitor:
        await shop.arrive("friend")
    with counting(acting_engine) as known_visitor:
        await shop.arrive("friend")
    with counting(acting_engine) as brought:
        await shop.arrive("visitor", referrer="friend")
    with counting(acting_engine) as brought_again:
        await shop.arrive("visitor", referrer="friend")

    assert (len(new_visitor), len(known_visitor)) == (1, 1)
    assert (len(brought), len(brought_again)) == (2, 2)


async def test_a_delivery_is_two_statements(
    acting_engine: AsyncEngine, real_database: Database
) -> None:
    """Shops would wait longer for an answer: for the first report of an order or a later one."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("buyer", "claimed before")
    line = {"productId": "sku", "quantity": 1, "price": "1", "name": "n", "title": "t"}

    counts = []
    for order, status in (
        ("claimed before", "confirmed"),
        ("new", "pending"),
        ("new", "confirmed"),
        ("new", "refunded"),
    ):
        with counting(acting_engine) as sent:
            await shop.report(
                order, status, customerId="c-1", clientId="browser", items=[line] * 30
            )
        counts.append(len(sent))

    assert counts == [2, 2, 2, 2]


async def test_a_claim_is_one_statement(
    acting_engine: AsyncEngine, real_database: Database
) -> None:
    """The page that confirms an order would load more slowly."""
    shop = await a_shop(real_database, a_campaign())
    await shop.report("reported", customerId="c-1")

    counts = []
    for client, order in (
        ("new", "reported"),
        ("new", "reported"),
        ("another", "reported"),
        ("new", "unknown"),
    ):
        with counting(acting_engine) as sent:
            await shop.claim(client, order)
        counts.append(len(sent))

    assert counts == [1, 1, 1, 1]


async def test_a_batch_costs_the_same_however_many_events_and_levels(
    acting_engine: AsyncEngine, real_database: Database
) -> None:
    """Reward work would slow down with every event, every campaign and every level above."""
    plan = a_campaign(
        amount=percent("1"),
        to=Recipient.REFERRER,
        trigger=Trigger.REFERRAL_PURCHASE,
        chaining=chained("10", "50"),
        limits=(Limit(amount="1000"),),
    )
    counts = []
    for orders, levels in ((1, 1), (40, 6)):
        shop = await a_shop(real_database, plan)
        people = [f"person {number}" for number in range(levels + 1)]
        for person, referrer in zip(people, ["", *people], strict=False):
            await shop.arrive(person, referrer=referrer)
        await shop.work()
        for number in range(orders):
            await shop.buy(people[-1], f"A-{number}", ordered=NOON)
        shop.flows.clock.advance(timedelta(days=1))
        (lane,) = await shop.flows.reward.list_waiting_lanes()
        with counting(acting_engine) as sent:
            outcome = await shop.flows.reward.work(lane)
        assert outcome.decided_count == orders
        assert len(await amounts_of(shop)) == orders * min(levels + 1, 6)
        counts.append(len(sent))

    # One that asks what was taken back since the turn before, six that fix what is decided,
    # fifteen that decide it, five that let go of it.
    assert counts == [27, 27]


async def test_events_that_wait_cost_one_statement_together(
    acting_engine: AsyncEngine, real_database: Database
) -> None:
    """A missing rate would cost a statement for each order that waits for it."""
    counts = []
    for orders in (1, 40):
        shop = await a_shop(real_database, a_campaign(amount=percent("1")))
        for number in range(orders):
            await shop.buy("buyer", f"A-{number}", currency="USD")
        lane = next(
            each
            for each in await shop.flows.reward.list_waiting_lanes()
            if each.merchant_id == shop.merchant_id
        )
        with counting(acting_engine) as sent:
            outcome = await shop.flows.reward.work(lane)
        assert (outcome.waiting_count, outcome.decided_count) == (orders, 0)
        counts.append(len(sent))

    # Customers follow the buyers of orders that are open again. The lane has not counted on.
    assert counts == [26, 26]


async def test_no_transaction_of_a_turn_is_empty(
    acting_engine: AsyncEngine, real_database: Database
) -> None:
    """A shop with an order a minute would pay for commits in which nothing happens."""
    shop = await a_shop(real_database, a_campaign())
    await shop.buy("before", "A-0")
    await shop.work()
    await shop.buy("buyer", "A-1")

    # It is fixed, decided, and let go of.
    commits: list[object] = []
    note = commits.append
    event.listen(acting_engine.sync_engine, "commit", note)
    try:
        await shop.look()
        assert len(commits) == 3
        # A look that finds nothing asks once, outside of transactions.
        with counting(acting_engine) as sent:
            await shop.look()
        assert (len(sent), len(commits)) == (1, 3)
    finally:
        event.remove(acting_engine.sync_engine, "commit", note)
