"""What the statements of the hot paths write is what the domains' repositories read."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal

from domains.attribution.model import Source, Touchpoint, Utm
from domains.attribution.repository import TouchpointRepository
from domains.identity.model import NodeKind
from domains.identity.repository import IdentityRepository
from domains.purchases.model import (
    Delivery,
    DeliveryState,
    Link,
    OrderItem,
    OrderState,
    Purchase,
)
from domains.referral.model import ReferralLink
from domains.referral.repository import ReferralRepository
from domains.rewards.model import (
    Interaction,
    InteractionKind,
    InteractionState,
    Obstacle,
    referral_reference,
)
from domains.rewards.repository import EventRepository
from infrastructure.database.transaction import Database
from tests.support.flows import NOON
from tests.support.shop import a_shop
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId, ReferralLinkId
from vocabulary.recording import IdRange

WALLET = "0x52908400098527886e0f7030069857d2e4169ee7"
DELAY = timedelta(minutes=2)
LINE = {
    "productId": 8201557770001,
    "quantity": 2,
    "price": "29.900000000001",
    "name": "blue-mug",
    "title": "Blue “mug” 🫖",
    "image": "https://shop.example/mug.png",
}
ITEM = OrderItem(
    product_reference="8201557770001",
    quantity=2,
    price=Decimal("29.900000000001"),
    name="blue-mug",
    title="Blue “mug” 🫖",
    image_url="https://shop.example/mug.png",
)


def a_referral_of(
    identity_group_id: IdentityGroupId, referral_link_id: ReferralLinkId, *, like: Interaction
) -> Interaction:
    """A referral that nobody has decided yet, under the id that another interaction has."""
    return Interaction(
        interaction_id=like.interaction_id,
        merchant_id=like.merchant_id,
        kind=InteractionKind.REFERRAL,
        event_reference=referral_reference("visitor"),
        order_reference=None,
        generation=None,
        identity_group_id=identity_group_id,
        referral_link_id=referral_link_id,
        event_time=NOON,
        state=InteractionState.PENDING,
        due_time=NOON,
        try_count=0,
        wait_count=0,
        obstacle=Obstacle.NONE,
        needed_rate=None,
        decide_time=None,
        credit_time=None,
        referrer_group_id=None,
    )


async def test_an_arrival_is_read_as_it_was_written(database: Database) -> None:
    """Attribution, referral or identity would not find what an arrival left them."""
    shop = await a_shop(database)
    ad = Utm(source="news", medium="mail", campaign="spring", term="shoes", content="hero")
    await shop.arrive("visitor", utm=ad)
    record = await shop.arrive("visitor", wallet=WALLET)

    identities = IdentityRepository()
    async with database.transaction() as tx:
        visitor = await identities.find_by_identifier(
            tx, NodeKind.CLIENT, "visitor", merchant_id=shop.merchant_id
        )
        referrer = await identities.find_by_identifier(
            tx, NodeKind.WALLET, WALLET, merchant_id=None
        )
        assert visitor is not None
        assert referrer is not None
        touches = await TouchpointRepository().list_newest(
            tx, shop.merchant_id, identity_group_id=None, before=None, limit=9
        )
        links = await ReferralRepository().list_of_referrer(
            tx, shop.merchant_id, referrer.identity_group_id, before=None, limit=9
        )
        (event,) = await EventRepository().list_of_merchant(
            tx, shop.merchant_id, state=None, within=IdRange(), limit=9
        )

    assert visitor.identity_group_id == record.identity_group_id
    assert (referrer.wallet, visitor.wallet) == (WALLET, None)
    assert record.referral_link_id is not None
    touched = Touchpoint(
        touchpoint_id=record.touchpoint_id,
        merchant_id=shop.merchant_id,
        identity_group_id=visitor.identity_group_id,
        source=Source.REFERRAL_LINK,
        referrer_group_id=referrer.identity_group_id,
        landing_url="https://shop.example/",
        utm=None,
        arrival_time=NOON,
    )
    assert touches[0] == touched
    assert (touches[1].source, touches[1].utm, len(touches)) == (Source.PAID_AD, ad, 2)
    assert links == [
        ReferralLink(
            referral_link_id=record.referral_link_id,
            merchant_id=shop.merchant_id,
            referrer_group_id=referrer.identity_group_id,
            referee_group_id=visitor.identity_group_id,
            start_time=NOON,
            end_time=None,
        )
    ]
    assert event == a_referral_of(visitor.identity_group_id, record.referral_link_id, like=event)


def an_applied_delivery(merchant_id: MerchantId, body: bytes, *, like: Delivery) -> Delivery:
    """What is kept of a delivery that had its effect, under the id that another has."""
    return Delivery(
        delivery_id=like.delivery_id,
        merchant_id=merchant_id,
        platform="custom",
        signed_digest=hashlib.sha256(body).digest(),
        event_reference="event-1",
        headers={"x-webhook-id": "event-1", "x-test": "false"},
        body=body,
        state=DeliveryState.APPLIED,
        failure=None,
        try_count=1,
        failure_count=0,
        receive_time=NOON,
        body_time=NOON,
    )


async def test_an_order_and_its_claim_are_read_as_they_were_written(database: Database) -> None:
    """Purchases or rewards would read another order than the shop reported."""
    shop = await a_shop(database, reward_delay=DELAY)
    ordered, updated = NOON - timedelta(hours=2), NOON - timedelta(hours=1)
    body = shop.order_body(
        "A-1",
        ordered=ordered,
        updated=updated,
        customerId="c-1",
        totalPrice="59.80",
        items=[LINE, {**LINE, "image": None}],
    )
    await shop.deliver(body, event_id="event-1")
    claimed = await shop.claim("buyer", "A-1")

    async with database.transaction() as tx:
        assert claimed.purchase_id is not None
        purchase = await shop.flows.purchases.get(tx, shop.merchant_id, claimed.purchase_id)
        (delivery,) = await shop.flows.deliveries.list_deliveries(
            tx, shop.merchant_id, state=None, within=IdRange(), limit=9
        )
        (event,) = await EventRepository().list_of_merchant(
            tx, shop.merchant_id, state=None, within=IdRange(), limit=9
        )
        customer = await shop.flows.purchases.find_customer(tx, shop.merchant_id, "c-1")

    assert purchase == Purchase(
        purchase_id=PurchaseId(purchase.purchase_id),
        merchant_id=shop.merchant_id,
        order_reference="A-1",
        customer_reference="c-1",
        state=OrderState.CONFIRMED,
        total=Decimal("59.80"),
        currency="EUR",
        items=(ITEM, OrderItem.from_document({**ITEM.to_document(), "image_url": ""})),
        identity_group_id=claimed.identity_group_id,
        link=Link.CLAIM,
        generation=1,
        subtotal=Decimal("119.600000000004"),
        order_time=ordered,
        report_time=NOON,
        event_time=updated,
    )
    assert delivery == an_applied_delivery(shop.merchant_id, body, like=delivery)
    assert event.event_reference == "purchase:A-1"
    assert (event.order_reference, event.generation) == ("A-1", 1)
    # The grace was over before the order was heard of.
    assert (updated + DELAY < NOON, event.due_time) == (True, NOON)
    assert (event.identity_group_id, event.event_time, event.referral_link_id) == (None,) * 3
    assert customer == claimed.identity_group_id
