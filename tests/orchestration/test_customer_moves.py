"""Whose a customer account is after what was heard late: its order was fixed, or corrected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from infrastructure.database.transaction import Database
from orchestration.reward.flow.prepared import PreparedBatch
from tests.orchestration.test_fixed_orders import wait_for_a_rate
from tests.orchestration.test_lane_rounds import prepared
from tests.support.books import order_of, rewards_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
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
