"""Whose a shop's customer account is: the buyer's of the order by which it became known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest

from infrastructure.database.transaction import Database
from orchestration.purchase_linking.flow import Claim
from tests.support.books import order_of, rewards_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop, token_of

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

Deed = Callable[[Shop], Awaitable[object]]


def reports(client: str | None, second: int) -> Deed:
    """The shop reports the order, at a second, with a browser."""

    async def do(shop: Shop) -> object:
        return await shop.report(
            "A-1",
            customerId="c-1",
            clientId=client,
            ordered=NOON,
            updated=NOON + second * SECOND,
        )

    return do


def claims(client: str, second: int) -> Deed:
    """A browser shows the order's token, at a second."""

    async def do(shop: Shop) -> object:
        return await shop.flows.purchase_linking.claim_past(
            Claim(
                merchant_id=shop.merchant_id,
                client_id=client,
                order_reference="A-1",
                token=token_of("A-1"),
            ),
            event_time=NOON + second * SECOND,
            repeat=None,
        )

    return do


@pytest.mark.parametrize(
    "deeds",
    [
        (reports("hinted", 1), claims("buyer", 2)),
        (reports("hinted", 1), reports("another", 2)),
        (reports(None, 1), claims("buyer", 3), claims("another", 2)),
        (reports("hinted", 1), reports("another", 3), claims("buyer", 2)),
    ],
)
async def test_whose_the_next_order_is_does_not_depend_on_which_message_came_first(
    database: Database, deeds: Sequence[Deed]
) -> None:
    """All later orders of the customer would be another person's, for good."""
    for sequence in permutations(deeds):
        shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
        shop.flows.clock.advance(10 * SECOND)
        for deed in sequence:
            await deed(shop)
        buyer: UUID = (await order_of(shop, "A-1")).identity_group_id

        await shop.report("A-2", customerId="c-1")
        shop.flows.clock.advance(2 * HOUR)
        await shop.work()

        persons = {each.event: each.person for each in await rewards_of(shop)}
        assert persons == {"purchase:A-1": buyer, "purchase:A-2": buyer}


async def test_another_order_does_not_move_a_customer(database: Database) -> None:
    """Whoever uses somebody's account once would take all that they buy later."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await shop.report("A-1", customerId="c-1", clientId="owner")
    await shop.report("A-2", customerId="c-1")
    await shop.claim("friend", "A-2")

    await shop.report("A-3", customerId="c-1")

    owner = (await shop.arrive("owner")).identity_group_id
    assert (await order_of(shop, "A-3")).identity_group_id == owner


async def test_what_comes_after_the_decision_tells_whose_the_customer_is(
    database: Database,
) -> None:
    """Whose the next order is would depend on how soon a worker decided the first one."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", customerId="c-1", clientId="hinted")
    await shop.work()
    await shop.claim("buyer", "A-1")

    await shop.report("A-2", customerId="c-1")

    hinted, buyer = [(await shop.arrive(each)).identity_group_id for each in ("hinted", "buyer")]
    persons = [(await order_of(shop, order)).identity_group_id for order in ("A-1", "A-2")]
    assert persons == [hinted, buyer]
