"""What the lines of an order decide, as far as they can be read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domains.campaign.model import Condition, ConditionGroup, Operator, PercentOf
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, count_of, explain
from tests.support.flows import NOON
from tests.support.nobody import WORDS
from tests.support.rules import a_campaign, percent
from tests.support.shop import a_shop

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MUG = {"productId": "mug", "quantity": 1, "price": "80.00"}
OF_GOODS = a_campaign("of goods", amount=percent("10", PercentOf.PURCHASE_SUBTOTAL))


def without(product: str) -> ConditionGroup:
    """An order whose first line is another product."""
    question = Condition(
        field="purchase.items.0.productId", operator=Operator.NOT_IN, value=(product,)
    )
    return ConditionGroup(members=(question,))


async def test_what_needs_a_subtotal_that_is_not_known_is_not_granted(database: Database) -> None:
    """A percentage of the goods would be one of postage and gift cards as well."""
    shop = await a_shop(database, OF_GOODS)
    await shop.buy("buyer", "A-1", totalPrice="1300.00", items=[MUG, {"price": "1,220.00"}])
    await shop.buy("buyer", "A-2", totalPrice="1300.00", items=[])

    await shop.work()

    assert [event for event, _ in await amounts_of(shop)] == ["purchase:A-2"]
    (decision,) = (await explain(shop, "purchase:A-1")).decisions
    assert "it is not known what the order's lines come to" in str(decision)


@pytest.mark.parametrize(
    "card",
    [
        {"productId": "gift-card", "price": "1,250.00"},
        {"productId": "gift-card", "price": None},
        {"productId": "gift-card", "quantity": "one", "price": "50.00"},
    ],
)
async def test_what_is_excluded_is_excluded_whatever_it_costs(
    database: Database, card: dict[str, object]
) -> None:
    """The line would be gone with its product, and the next one be the first."""
    shop = await a_shop(database, a_campaign(when=without("gift-card")))
    await shop.buy("buyer", "A-1", items=[card, MUG])
    await shop.buy("buyer", "A-2", items=[MUG, card])

    await shop.work()

    assert [event for event, _ in await amounts_of(shop)] == ["purchase:A-2"]


async def test_a_product_is_the_same_with_a_point(database: Database) -> None:
    """Data frames print the ids of a column with gaps as 41.0."""
    shop = await a_shop(database, a_campaign(when=without("41")))
    await shop.buy("buyer", "A-1", items=[{**MUG, "productId": 41.0}])

    await shop.work()

    assert await amounts_of(shop) == []


async def test_lines_in_another_currency_are_no_subtotal(database: Database) -> None:
    """Eight thousand yen would be taken for as many euros."""
    shop = await a_shop(database, OF_GOODS, reward_delay=HOUR)
    yen: dict[str, Any] = {"currency": "JPY", "totalPrice": 8000, "items": [{**MUG, "price": 8000}]}
    await shop.report("A-1", "pending", clientId="buyer", **yen)
    shop.flows.clock.advance(MINUTE)
    await shop.report("A-1", clientId="buyer", ordered=NOON, totalPrice="50.00")
    # The total in the lines' own currency, told again, makes the subtotal known again.
    await shop.report("B-1", "pending", clientId="buyer", items=[MUG])
    shop.flows.clock.advance(MINUTE)
    await shop.report("B-1", clientId="buyer", ordered=NOON, totalPrice="50.00")

    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:B-1", 8_000_000)]


@pytest.mark.parametrize("word", WORDS)
async def test_a_delivery_that_is_called_nothing_is_told_apart_by_its_body(
    database: Database, word: str
) -> None:
    """A shop that sends `undefined` as its id would lose all orders but the first, told `ok`."""
    shop = await a_shop(database)
    for order in ("A-1", "A-2", "A-2"):
        assert await shop.report(order, event_id=word) == "ok"

    assert (await count_of(shop, "shop_order"), await count_of(shop, "delivery")) == (2, 2)
