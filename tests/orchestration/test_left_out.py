"""What a newer report of an order leaves out stays as another one named it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from domains.campaign.model import Condition, ConditionGroup, Operator, PercentOf
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, order_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign, percent
from tests.support.shop import a_shop

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MUG = [{"productId": "mug", "quantity": 1, "price": "80.00"}]
CARD = [{"productId": "gift-card", "quantity": 1, "price": "100.00"}]
IS_NO_CARD = Condition(
    field="purchase.items.0.productId", operator=Operator.NOT_IN, value=("gift-card",)
)
NO_CARDS = a_campaign("no cards", when=ConditionGroup(members=(IS_NO_CARD,)))
OF_GOODS = a_campaign("of goods", amount=percent("10", PercentOf.PURCHASE_SUBTOTAL))


@pytest.mark.parametrize(
    ("lines", "units"),
    [
        ((CARD, None), []),
        ((None, CARD), []),
        ((CARD, None, MUG), [("purchase:A-1", 1_000_000)]),
        ((MUG, None, CARD), []),
        # There are none any more: that is said.
        ((CARD, []), [("purchase:A-1", 1_000_000)]),
    ],
)
async def test_an_excluded_product_stays_excluded(
    database: Database, lines: Sequence[object], units: Sequence[tuple[str, int]]
) -> None:
    """A payment hook that tells of no lines would have the shop pay for what it excluded."""
    for sequence in permutations(enumerate(lines)):
        shop = await a_shop(database, NO_CARDS, reward_delay=HOUR)
        shop.flows.clock.advance(10 * MINUTE)
        for number, said in sequence:
            await shop.report(
                "A-1",
                "confirmed" if number else "pending",
                clientId="buyer",
                ordered=NOON,
                updated=NOON + number * MINUTE,
                items=said,
            )
        shop.flows.clock.advance(HOUR)
        await shop.work()

        assert await amounts_of(shop) == list(units), sequence


async def test_a_part_of_the_goods_is_none_of_the_shipping(database: Database) -> None:
    """A corrected address would raise what is paid."""
    shop = await a_shop(database, OF_GOODS)
    await shop.buy("buyer", "A-1", items=MUG)
    shop.flows.clock.advance(MINUTE)
    await shop.report("A-1", ordered=NOON)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 8_000_000)]


@pytest.mark.parametrize(
    ("with_total", "without_total", "customer"),
    [("c-1", "c-2", "c-1"), (None, "c-2", "c-2"), ("c-1", None, "c-1")],
)
async def test_what_a_report_with_a_total_names_goes_before_what_one_without_does(
    database: Database, with_total: str | None, without_total: str | None, customer: str
) -> None:
    """Whose customer and which lines an order has would depend on which message came first."""
    lines = {"c-1": MUG, "c-2": CARD}
    reports: list[dict[str, Any]] = [
        {"customerId": with_total, "items": lines.get(with_total or "")},
        {
            "customerId": without_total,
            "items": lines.get(without_total or ""),
            "totalPrice": None,
        },
        {"customerId": None, "items": None, "totalPrice": "90.00"},
    ]
    for sequence in permutations(enumerate(reports)):
        shop = await a_shop(database, reward_delay=HOUR)
        shop.flows.clock.advance(10 * MINUTE)
        for number, said in sequence:
            await shop.report(
                "A-1", "pending", ordered=NOON, updated=NOON + number * MINUTE, **said
            )

        order = await order_of(shop, "A-1")
        product = lines[customer][0]["productId"]
        assert order.customer_reference == customer, sequence
        assert [each["product_reference"] for each in order.items] == [product], sequence
