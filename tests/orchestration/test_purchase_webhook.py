"""Deliveries of shops: what proves them, what they may say, what they leave."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from google.api import httpbody_pb2
from sqlalchemy import delete

from domains.business.tables import merchant_webhook
from domains.purchases.model import OrderState
from guerdon.orchestration.v1 import purchase_webhook_pb2
from infrastructure.database.transaction import Database
from orchestration.purchase_webhook.errors import (
    DeliveryUnusableError,
    SignatureInvalidError,
    WebhookNotFoundError,
)
from orchestration.purchase_webhook.flow import ReceivedDelivery
from orchestration.purchase_webhook.platforms import Message
from orchestration.purchase_webhook.servicer import PurchaseWebhookServicer
from tests.support.books import amounts_of, count_of, deliveries_of, events_of, order_of
from tests.support.flows import NOON, flows_on
from tests.support.rules import a_campaign
from tests.support.shop import SIGNING_KEY, Shop, a_shop, sign, token_of
from vocabulary.ids import MerchantId

# Computed by somebody else's code: a body, the key of `a_shop`, and what they give.
BODY = (
    b'{"id":"A-1001","customerId":"cust-77","status":"confirmed","token":"tok_9f2c",'
    b'"currency":"EUR","totalPrice":"59.80"}'
)
SIGNATURE = "zl2IXXm70Q3j+ETzAy3XiF3W874o7f7lrDR50rlP9j0="
OTHER_KEY = SIGNING_KEY.replace("YSBr", "YSBs")
NOTHING_NEW = "ko: it says nothing newer than what is known of the order"
HEXADECIMAL = "ce5d885d79bbd10de3f844f3032dd7885dd6f3be28edfee5ac3479d2b94ff63d"


def a_line(**said: Any) -> dict[str, Any]:
    return {"productId": "sku-1", "quantity": 1, "price": "10", "name": "n", "title": "t", **said}


async def lines_of(shop: Shop, order: str) -> list[tuple[str, int, str]]:
    return [
        (line["product_reference"], line["quantity"], line["price"])
        for line in (await order_of(shop, order)).items
    ]


async def test_a_signature_made_elsewhere_is_accepted(database: Database) -> None:
    """No shop's own code could sign what we accept."""
    shop = await a_shop(database)

    assert await shop.deliver(BODY, signature=SIGNATURE) == "ok"

    order = await order_of(shop, "A-1001")
    assert (order.state, order.total, order.currency) == ("confirmed", Decimal("59.80"), "EUR")
    assert order.customer_reference == "cust-77"


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (BODY, SIGNATURE.replace("z", "y", 1)),
        (BODY, SIGNATURE.replace("j0=", "j4=")),
        (BODY[:-2] + b"1}", SIGNATURE),
        (BODY + b"\n", SIGNATURE),
        (BODY, HEXADECIMAL),
        (BODY, sign(BODY, OTHER_KEY)),
        (BODY, SIGNATURE.rstrip("=")),
        (BODY, f" {SIGNATURE}"),
        (BODY, ""),
        (b"", ""),
    ],
    ids=[
        "first bit",
        "last bit",
        "body",
        "newline",
        "hex",
        "key",
        "padding",
        "space",
        "missing",
        "nothing",
    ],
)
async def test_a_wrong_signature_leaves_nothing(
    database: Database, body: bytes, signature: str
) -> None:
    """Anybody could report orders, or fill the inbox."""
    shop = await a_shop(database)

    with pytest.raises(SignatureInvalidError):
        await shop.deliver(body, signature=signature)

    assert await count_of(shop, "delivery") == 0
    assert await count_of(shop, "shop_order") == 0


async def test_the_signature_is_over_the_very_bytes(database: Database) -> None:
    """A body that is laid out for people, or is not in English, would be refused."""
    shop = await a_shop(database, a_campaign())
    token = "jeton-été-€-🧾"
    document = json.loads(shop.order_body("Ä-1", token=token))
    for body in (
        json.dumps(document, indent=4, ensure_ascii=False).encode(),
        b"\xef\xbb\xbf" + json.dumps(document, indent="\t").encode() + b"\r\n",
    ):
        # The second says the same in other bytes.
        assert await shop.deliver(body) in {"ok", NOTHING_NEW}
    await shop.claim("buyer", "Ä-1", token=token)

    await shop.work()

    assert await amounts_of(shop) == [("purchase:Ä-1", 1_000_000)]


async def test_one_shop_s_delivery_is_worth_nothing_at_another(database: Database) -> None:
    """A delivery that somebody copied would report the order at other shops too."""
    one = await a_shop(database)
    other = await a_shop(database, signing_key=OTHER_KEY)
    body = one.order_body("A-1")

    with pytest.raises(SignatureInvalidError):
        await other.deliver(body, signature=sign(body))

    assert await count_of(other, "delivery") == 0


async def test_shops_share_neither_orders_nor_tokens(database: Database) -> None:
    """Two shops that count their orders from 1 would overwrite each other's."""
    shops = [await a_shop(database, a_campaign()) for _ in range(2)]
    for shop, total in zip(shops, ("10", "20"), strict=True):
        assert await shop.report("1", totalPrice=total) == "ok"
        await shop.claim("buyer", "1")
        await shop.work()

    assert [(await order_of(shop, "1")).total for shop in shops] == [Decimal(10), Decimal(20)]
    one, other = [(await order_of(shop, "1")).identity_group_id for shop in shops]
    assert one != other
    assert [await amounts_of(shop) for shop in shops] == [[("purchase:1", 1_000_000)]] * 2


async def test_every_line_of_an_order_is_kept_and_replaced_as_a_whole(database: Database) -> None:
    """A second size of the same shoe would be lost, and a changed order stay as it was."""
    shop = await a_shop(database)
    await shop.report(
        "A-1",
        items=[a_line(quantity=2, price="29.90"), a_line(quantity=1, price="23.60")],
    )
    assert await lines_of(shop, "A-1") == [("sku-1", 2, "29.90"), ("sku-1", 1, "23.60")]

    later = NOON.replace(minute=1)
    shop.flows.clock.now = later
    await shop.report("A-1", ordered=NOON, updated=later, items=[a_line(quantity=5, productId=42)])
    await shop.report("A-1", items=[a_line(quantity=9)], updated=NOON)

    assert await lines_of(shop, "A-1") == [("42", 5, "10")]


async def test_an_older_report_changes_nothing(database: Database) -> None:
    """A delivery that was late would undo what happened since."""
    shop = await a_shop(database)
    shop.flows.clock.now = NOON.replace(hour=14)
    one, two = NOON, NOON.replace(hour=13)

    await shop.report("paid", "confirmed", ordered=one, updated=two)
    await shop.report("paid", "pending", ordered=one, updated=one)
    await shop.report("back", "refunded", ordered=one, updated=two)
    await shop.report("back", "confirmed", ordered=one, updated=one)

    assert (await order_of(shop, "paid")).state == OrderState.CONFIRMED
    assert (await order_of(shop, "back")).state == OrderState.REFUNDED
    kept = sorted(each.state for each in await deliveries_of(shop))
    assert kept == ["applied", "applied", "ignored", "ignored"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"totalPrice": None}, "totalPrice"),
        ({"totalPrice": ""}, "totalPrice"),
        ({"totalPrice": "59,80"}, "totalPrice"),
        ({"totalPrice": "-1"}, "totalPrice"),
        ({"totalPrice": "1e3"}, "totalPrice"),
        ({"totalPrice": True}, "totalPrice"),
        ({"totalPrice": []}, "totalPrice"),
        ({"totalPrice": {}}, "totalPrice"),
        ({"currency": None}, "currency"),
        ({"currency": "euro"}, "currency"),
        ({"currency": 978}, "currency"),
        ({"id": ""}, "id"),
        ({"id": None}, "id"),
        ({"id": {}}, "id"),
        ({"token": ""}, "token"),
        ({"status": "paid"}, "status"),
        ({"createdAt": "yesterday"}, "createdAt"),
        ({"createdAt": "2025-03-01T12:00:00"}, "createdAt"),
        ({"createdAt": "0001-01-01T00:00:00+14:00"}, "createdAt"),
        ({"createdAt": "0001-06-01T00:00:00Z"}, "createdAt"),
        ({"updatedAt": "1969-12-31T23:59:59Z"}, "updatedAt"),
    ],
    ids=str,
)
async def test_a_body_that_can_never_work_is_refused_by_its_field(
    database: Database, said: dict[str, Any], field: str
) -> None:
    """A shop's developer would not learn what is wrong, or the shop try again for ever."""
    shop = await a_shop(database)
    body = shop.order_body("A-1", **said)

    with pytest.raises(DeliveryUnusableError) as refused:
        await shop.deliver(body)

    assert refused.value.metadata["field"] == field
    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.body, kept.retry_time) == ("dead", body, None)
    assert await count_of(shop, "shop_order") == 0


@pytest.mark.parametrize(
    ("said", "notes"),
    [
        ({"customerId": {"id": 1}}, [("left_out", "customerId")]),
        ({"customerId": "undefined"}, [("names_nobody", "customerId")]),
        ({"clientId": "x" * 129}, [("left_out", "clientId")]),
        ({"items": "two mugs"}, [("left_out", "items"), ("subtotal_unknown", "items")]),
        (
            {"items": [a_line(price="free")]},
            [("subtotal_unknown", "items"), ("left_out", "items[0].price")],
        ),
        ({"items": [a_line(quantity=1.5)]}, [("taken_as_one", "items[0].quantity")]),
        ({"items": [a_line(productId=None, name=None)]}, []),
        ({"items": [a_line(title="x" * 501)]}, [("cut", "items[0].title")]),
        ({"totalPrice": 472.18500000000006}, [("rounded", "totalPrice")]),
        ({"createdAt": "2025-03-02T12:00:00Z"}, [("taken_as_receipt", "createdAt")]),
    ],
    ids=str,
)
async def test_what_does_not_decide_costs_nobody_a_reward(
    database: Database, said: dict[str, Any], notes: list[tuple[str, str]]
) -> None:
    """A long title would kill a paid order for good."""
    shop = await a_shop(database, a_campaign())

    assert await shop.report("A-1", **{"clientId": "buyer", **said}) == "ok"

    (kept,) = await deliveries_of(shop)
    assert kept.state == "applied"
    assert [(each["word"], each["field"]) for each in kept.notes] == notes
    if "clientId" not in said:
        await shop.work()
        assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"webhook_id=7",
        b"[]",
        b"null",
        b'"order"',
        b"{",
        b"\xff\xfe",
        b'{"id": NaN}',
        b'{"id": ' + b"9" * 5_000 + b"}",
        b"[" * 200_000,
        b'{"id": "\\ud800"}',
        b'{"id": "a\\u0000b", "status": "pending", "token": "t"}',
    ],
    ids=range(12),
)
async def test_what_is_no_order_at_all_is_refused_as_a_whole(
    database: Database, body: bytes
) -> None:
    """A body that cannot be read would be answered as if we had failed."""
    shop = await a_shop(database)

    with pytest.raises(DeliveryUnusableError) as refused:
        await shop.deliver(body)

    assert refused.value.metadata["field"] in {"payload", "id"}
    assert [each.state for each in await deliveries_of(shop)] == ["dead"]


async def test_what_may_be_left_out_may_be_left_out(database: Database) -> None:
    """Shops that say only what is required would be turned away."""
    shop = await a_shop(database)
    document = {"id": 5551203847261123456789, "status": "pending", "token": 77}
    absent = ("customerId", "clientId", "currency", "totalPrice", "createdAt", "updatedAt")

    assert await shop.deliver(json.dumps(document).encode()) == "ok"
    for spelling in (None, ""):
        said = {**document, **dict.fromkeys(absent, spelling)}
        assert await shop.deliver(json.dumps(said).encode()) in {"ok", NOTHING_NEW}

    order = await order_of(shop, "5551203847261123456789")
    assert (order.state, order.total, order.currency) == ("pending", None, None)
    assert (order.order_time, order.event_time) == (NOON, NOON)
    assert (order.customer_reference, order.identity_group_id, order.items) == (None, None, [])


async def test_an_order_carries_its_browser_s_id(database: Database) -> None:
    """Buyers whose browsers never claim would go unrewarded, or be two people."""
    shop = await a_shop(database, a_campaign())
    known = (await shop.arrive("known")).identity_group_id
    await shop.report("A-1", clientId="known")
    await shop.report("A-2", clientId="never seen")

    await shop.work()

    assert (await order_of(shop, "A-1")).identity_group_id == known
    assert (await shop.arrive("never seen")).identity_group_id == (
        await order_of(shop, "A-2")
    ).identity_group_id
    assert len(await amounts_of(shop)) == 2
    # What a browser said itself comes before what the shop says of it.
    claimed = await shop.claim("known", "A-3")
    await shop.report("A-3", clientId="never seen")
    assert (await order_of(shop, "A-3")).identity_group_id == claimed.identity_group_id


async def test_a_delivery_needs_a_shop_that_takes_it(database: Database) -> None:
    """A mistyped address would look like a wrong signature."""
    flows = flows_on(database)
    shop = await a_shop(flows)
    async with database.transaction() as tx:
        await tx.execute(delete(merchant_webhook))
    for merchant_id, product_id in (
        (MerchantId(uuid4()), None),
        (None, bytes(32)),
        (shop.merchant_id, None),
    ):
        with pytest.raises(WebhookNotFoundError):
            await flows.purchase_webhook.receive(
                ReceivedDelivery(
                    platform="custom",
                    merchant_id=merchant_id,
                    product_id=product_id,
                    message=Message(body=BODY, headers={"x-hmac-sha256": [SIGNATURE]}),
                )
            )


async def test_trial_deliveries_are_passed_over_in_production(database: Database) -> None:
    """A developer's trial would earn real rewards."""
    shop = await a_shop(flows_on(database, accepts_tests=False))
    body = shop.order_body("A-1")

    answer = await shop.deliver(body, is_test=True)

    assert answer.startswith("ko: ")
    assert await count_of(shop, "shop_order") == 0
    assert await shop.deliver(body) == "ok"
    trials = await a_shop(flows_on(database))
    assert await trials.deliver(body, is_test=True) == "ok"


@pytest.mark.parametrize("by_product", [True, False])
async def test_headers_and_addresses_reach_the_flow(database: Database, by_product: bool) -> None:
    """A shop's signature or event id would be looked for under another name."""
    shop = await a_shop(database)
    servicer = PurchaseWebhookServicer(flow=shop.flows.purchase_webhook)
    body = shop.order_body("A-1")
    product_id = f"0x{shop.merchant.product_id.hex()}"
    request = purchase_webhook_pb2.ReceiveCustomOrderRequest(
        merchant_id="" if by_product else str(shop.merchant_id),
        product_id=product_id if by_product else "",
        payload=httpbody_pb2.HttpBody(data=body),
    )

    def calling(**headers: str) -> Any:
        metadata = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return SimpleNamespace(invocation_metadata=lambda: metadata)

    with pytest.raises(SignatureInvalidError):
        await servicer.ReceiveCustomOrder(request, calling(x_webhook_id="event-1"))
    answer = await servicer.ReceiveCustomOrder(
        request, calling(x_hmac_sha256=sign(body), x_webhook_id="event-1", x_test="true")
    )

    assert answer.text.data == b"ok"
    assert [each.event_reference for each in await deliveries_of(shop)] == ["event-1"]
    assert (await shop.claim("buyer", "A-1", token=token_of("A-1"))).purchase_id is not None
    assert len(await events_of(shop)) == 1
