"""Whose a customer account is after what was heard late: its order was fixed, or corrected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.transaction import Database
from orchestration.lane.flow.prepared import PreparedBatch
from tests.orchestration.test_fixed_orders import wait_for_a_rate
from tests.orchestration.test_lane_rounds import prepared
from tests.support.books import order_of, rewards_of
from tests.support.connections import holding
from tests.support.flows import NOON
from tests.support.races import beside
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
HELD = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"
TENTH = a_campaign("tenth", amount=percent("10"))


async def end(shop: Shop, batch: PreparedBatch, how: str) -> None:
    """A batch of one order ends without a decision."""
    if how == "waits":
        await wait_for_a_rate(shop, batch)
    elif how == "rests":
        await shop.flows.setbacks.open_again(batch)
    else:
        await shop.report("A-1", "refunded", ordered=NOON)
        await shop.work()


@pytest.mark.parametrize("how", ["waits", "rests", "refunded"])
@pytest.mark.parametrize("while_fixed", [False, True])
async def test_a_customer_moves_with_what_was_heard_while_its_order_was_fixed(
    database: Database, while_fixed: bool, how: str
) -> None:
    """All later orders of the customer would be another person's, for good."""
    shop = await a_shop(database, TENTH)
    currency = "USD" if how == "waits" else "EUR"
    await shop.report("A-1", currency=currency, clientId="hinted", customerId="c-1")
    shop.flows.clock.advance(SECOND)
    if not while_fixed:
        await shop.claim("buyer", "A-1")
    batch = await prepared(shop)
    if while_fixed:
        await shop.claim("buyer", "A-1")
    await end(shop, batch, how)
    buyer = (await shop.arrive("buyer")).identity_group_id
    order = await order_of(shop, "A-1")
    assert (order.identity_group_id, order.fixed_generation) == (buyer, 0)

    await shop.report("A-2", customerId="c-1")
    await shop.work()

    persons = {each.event: each.person for each in await rewards_of(shop)}
    assert persons["purchase:A-2"] == buyer


@pytest.mark.parametrize("while_fixed", [False, True])
async def test_a_customer_becomes_known_by_what_was_heard_while_its_order_was_fixed(
    database: Database, while_fixed: bool
) -> None:
    """Nobody claims the order again, so the customer's later orders would earn nothing."""
    shop = await a_shop(database, TENTH)
    await shop.report("A-0", clientId="friend", customerId="c-1")
    await shop.report("A-1", currency="USD", customerId="c-1")
    shop.flows.clock.advance(SECOND)
    batch = await prepared(shop)
    if while_fixed:
        await corrected_and_claimed(shop)
    outcome = await shop.flows.turns.decide(batch)
    assert outcome is not None
    assert outcome.waiting_count == 1
    await shop.flows.turns.finish(batch, outcome.let_go, is_complete=True)
    if not while_fixed:
        await corrected_and_claimed(shop)

    await shop.report("B-1", customerId="c-2")

    buyer = (await shop.arrive("buyer")).identity_group_id
    persons = [(await order_of(shop, order)).identity_group_id for order in ("A-1", "B-1")]
    assert persons == [buyer, buyer]


async def corrected_and_claimed(shop: Shop) -> None:
    """The shop names another customer, and the buyer shows the order's token."""
    await shop.report("A-1", currency="USD", customerId="c-2", ordered=NOON)
    await shop.claim("buyer", "A-1")


@pytest.mark.parametrize("sequence", list(permutations(("c-1", "c-2", "claim"))))
async def test_whose_a_corrected_customer_is_does_not_depend_on_which_message_came_first(
    database: Database, sequence: Sequence[str]
) -> None:
    """A slow message would hand all that a customer buys later to another person."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    # Reports are of no later time than their receipt.
    shop.flows.clock.advance(10 * SECOND)
    for each in sequence:
        if each == "claim":
            await shop.claim("buyer", "A-1")
        else:
            await shop.report(
                "A-1",
                customerId=each,
                clientId="hinted",
                ordered=NOON,
                updated=NOON + int(each[-1]) * SECOND,
            )

    whose = []
    for customer in ("c-1", "c-2"):
        await shop.report(f"B-{customer}", customerId=customer)
        whose.append((await order_of(shop, f"B-{customer}")).identity_group_id)

    # The order says nothing of the former customer any more.
    assert whose == [None, (await shop.arrive("buyer")).identity_group_id]


async def person_of(shop: Shop, customer: str) -> UUID | None:
    """Who a customer is by now: the buyer of an order that nobody claims."""
    await shop.report(f"of {customer}", customerId=customer)
    found: UUID | None = (await order_of(shop, f"of {customer}")).identity_group_id
    return found


@pytest.mark.parametrize(
    "customers", [("c-1", None), ("c-1", "guest"), ("c-1", None, "c-2"), ("c-1", "guest", "c-2")]
)
async def test_a_report_that_names_no_customer_leaves_the_one_that_is_known(
    database: Database, customers: Sequence[str | None]
) -> None:
    """Whose later orders are would depend on which message came first."""
    named = [each for each in customers if each is not None and each != "guest"]
    for sequence in permutations(enumerate(customers)):
        shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
        shop.flows.clock.advance(10 * SECOND)
        for number, customer in sequence:
            said = {} if customer is None else {"customerId": customer}
            await shop.report(
                "A-1", clientId="hinted", ordered=NOON, updated=NOON + number * SECOND, **said
            )

        hinted = (await shop.arrive("hinted")).identity_group_id
        assert (await order_of(shop, "A-1")).customer_reference == named[-1]
        found = [await person_of(shop, customer) for customer in named]
        assert found == [None] * (len(named) - 1) + [hinted], sequence


async def test_what_another_order_says_of_a_customer_is_not_forgotten_with_the_first_one(
    database: Database,
) -> None:
    """An order filed under a customer by mistake would take with it what the customer proved."""
    for sequence in permutations(("mistaken", "corrected", "own")):
        shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
        shop.flows.clock.advance(10 * SECOND)
        for each in sequence:
            if each == "own":
                await shop.report("O-2", customerId="c-1", ordered=NOON)
                await shop.claim("owner", "O-2")
            else:
                await shop.report(
                    "O-1",
                    customerId="c-1" if each == "mistaken" else "c-9",
                    clientId="stranger",
                    ordered=NOON,
                    updated=NOON + (SECOND if each == "corrected" else 0 * SECOND),
                )

        owner = (await shop.arrive("owner")).identity_group_id
        assert await person_of(shop, "c-1") == owner, sequence


@pytest.mark.parametrize("first", ["claim", "report"])
async def test_a_correction_that_waits_for_what_made_the_customer_known_counts(
    real_database: Database, engine: AsyncEngine, first: str
) -> None:
    """A stranger would get all that the former customer buys later."""
    shop = await a_shop(real_database, a_campaign(), reward_delay=HOUR)
    shop.flows.clock.advance(10 * SECOND)
    said = {} if first == "claim" else {"clientId": "buyer"}
    await shop.arrive("buyer")
    await shop.report("A-1", "pending", ordered=NOON, updated=NOON - SECOND)
    if first == "claim":
        await shop.report("A-1", customerId="c-1", ordered=NOON, updated=NOON)

    async with holding(engine, HELD) as holder:
        one = beside(
            shop.claim("buyer", "A-1")
            if first == "claim"
            else shop.report("A-1", customerId="c-1", ordered=NOON, updated=NOON, **said)
        )
        await holder.until_awaited()
        correction = beside(
            shop.report("A-1", customerId="c-2", ordered=NOON, updated=NOON + SECOND, **said)
        )
        await holder.until_awaited(by=2)
    await one
    await correction

    buyer = (await order_of(shop, "A-1")).identity_group_id
    assert buyer is not None
    assert [await person_of(shop, each) for each in ("c-1", "c-2")] == [None, buyer]
