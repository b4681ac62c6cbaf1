"""The statements that requests send all the time, each as a call, with its scans."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from domains.purchases.model import OrderEvent, OrderState
from infrastructure.database.transaction import Transaction
from orchestration.arrival.statements import ArrivalRow, arrive, lock_referrals
from orchestration.arrival.statements import NewIds as ArrivalIds
from orchestration.purchase_linking.statements import ClaimRow, claim
from orchestration.purchase_webhook.shops import find_shop
from orchestration.purchase_webhook.statements import apply, lock_order
from tests.support.deliveries import a_received_delivery, new_ids
from tests.support.hot_statements import NOW, SHOP, HotStatement
from tests.support.large_tables import id_of
from vocabulary.ids import (
    IdentityGroupId,
    ReferralLinkId,
    TouchpointId,
)


async def _arrive(
    tx: Transaction,
    client: str,
    *,
    referrer: str | None = None,
    share_id: UUID | None = None,
    wallet: str | None = None,
    event_time: datetime = NOW,
) -> None:
    locked = False
    if referrer or share_id or wallet:
        locked = await lock_referrals(tx, merchant_id=SHOP, client_id=client)
    row = ArrivalRow(
        merchant_id=SHOP,
        client_id=client,
        referrer_wallet=wallet,
        referrer_client_id=referrer,
        referrer_merchant_id=SHOP,
        referrer_share_id=share_id,
        source="direct",
        landing_url="https://shop.example/",
        utm=None,
        event_time=event_time,
        now=NOW,
        ids=ArrivalIds(
            node_id=uuid4(),
            group_id=IdentityGroupId(uuid4()),
            referrer_node_id=uuid4(),
            referrer_group_id=IdentityGroupId(uuid4()),
            touchpoint_id=TouchpointId(uuid4()),
            link_id=ReferralLinkId(uuid4()),
            interaction_id=uuid4(),
        ),
    )
    await arrive(tx, row, locked=locked)


async def _apply(tx: Transaction, order: str, state: OrderState = OrderState.CONFIRMED) -> None:
    event = OrderEvent(
        order_reference=order,
        state=state,
        token="token 77",
        customer_reference="customer-1",
        client_id="client-3",
        total=Decimal(100),
        currency="EUR",
        items=(),
        subtotal=None,
        order_time=NOW,
        order_time_stated=True,
        event_time=NOW,
        body_hash=b"body",
    )
    delivery = a_received_delivery(SHOP, event_id="new event", time=NOW)
    await apply(tx, delivery, event, new_ids(), now=NOW)


async def _claim(tx: Transaction, client: str, order: str, digest: bytes = b"digest") -> None:
    row = ClaimRow(
        merchant_id=SHOP,
        client_id=client,
        order_reference=order,
        token_digest=digest,
        event_time=NOW,
        now=NOW,
        new_node_id=uuid4(),
        new_group_id=IdentityGroupId(uuid4()),
        new_interaction_id=uuid4(),
    )
    await claim(tx, row)


_SIGNED = hashlib.sha256(b"event 7").digest()
_SHARED = id_of("share", "client9")
PRODUCT = hashlib.sha256(b"merchant 1").digest()
_NODE = {"identity_node": "uq_identity_node_identifier"}
_ARRIVAL = {**_NODE, "merchant": "pk_merchant", "touchpoint": "ix_touchpoint_source"}
_BROUGHT = {
    **_ARRIVAL,
    "identity_node": "uq_identity_node_identifier, uq_identity_node_share_id",
    "touchpoint": "ix_touchpoint_source, ix_touchpoint_referrer",
    "referral_link": "uq_referral_link_active, ix_referral_link_referee, pk_referral_link",
}
_REPORT = {
    **_NODE,
    "merchant": "pk_merchant",
    "delivery": "uq_delivery_signed",
    # Half of all orders are this customer's.
    "shop_order": "pk_shop_order, ix_shop_order_customer",
    "order_claim": "pk_order_claim",
}
_CLAIM = {**_NODE, "merchant": "pk_merchant"}

REQUESTS: dict[str, HotStatement] = {
    "arrival": HotStatement(call=lambda tx: _arrive(tx, "client-1"), indexes=_ARRIVAL),
    "first arrival": HotStatement(call=lambda tx: _arrive(tx, "new"), indexes=_ARRIVAL),
    "arrival by a link": HotStatement(
        call=lambda tx: _arrive(tx, "client-1", share_id=_SHARED), indexes=_BROUGHT
    ),
    "arrival by an older link": HotStatement(
        call=lambda tx: _arrive(tx, "client-1", referrer="client-9"), indexes=_BROUGHT
    ),
    "first arrival by a wallet's link": HotStatement(
        call=lambda tx: _arrive(tx, "new", wallet="wallet-9"), indexes=_BROUGHT
    ),
    "arrival of the past by a link": HotStatement(
        call=lambda tx: _arrive(
            tx, "client-1", share_id=_SHARED, event_time=NOW - timedelta(days=4)
        ),
        indexes=_BROUGHT,
        rows_max=100,
    ),
    "shop by merchant": HotStatement(
        call=lambda tx: find_shop(
            tx, merchant_id=SHOP, product_id=None, signed_digest=_SIGNED, body_digest=_SIGNED
        ),
        indexes={
            "merchant": "pk_merchant",
            "merchant_webhook": "pk_merchant_webhook",
            "delivery": "uq_delivery_signed, ix_delivery_ahead",
        },
    ),
    "shop by product": HotStatement(
        call=lambda tx: find_shop(
            tx, merchant_id=None, product_id=PRODUCT, signed_digest=_SIGNED, body_digest=_SIGNED
        ),
        indexes={
            "merchant": "uq_merchant_product_id",
            "merchant_webhook": "pk_merchant_webhook",
            "delivery": "uq_delivery_signed, ix_delivery_ahead",
        },
    ),
    "first report": HotStatement(call=lambda tx: _apply(tx, "new order"), indexes=_REPORT),
    "another report": HotStatement(call=lambda tx: _apply(tx, "order-1"), indexes=_REPORT),
    "refund": HotStatement(
        call=lambda tx: _apply(tx, "order-3", OrderState.REFUNDED), indexes=_REPORT
    ),
    "lock of an order": HotStatement(
        call=lambda tx: lock_order(tx, SHOP, "order-1"), indexes={"shop_order": "pk_shop_order"}
    ),
    "claim": HotStatement(call=lambda tx: _claim(tx, "client-2", "order-1"), indexes=_CLAIM),
    "claim of a decided order": HotStatement(
        call=lambda tx: _claim(tx, "client-3", "order-3", hashlib.sha256(b"token").digest()),
        indexes={**_CLAIM, "reward": "ix_reward_purchase"},
    ),
    "claim of an unknown order": HotStatement(
        call=lambda tx: _claim(tx, "new", "unknown"), indexes=_CLAIM
    ),
}
