"""Deliveries as the inbox knows them, and the ids of what one may make."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import uuid4

from domains.business.model import Platform
from domains.purchases.model import Delivery, DeliveryFailure, DeliveryState, FailureKind
from orchestration.purchase_webhook.statements import NewIds
from vocabulary.ids import DeliveryId, IdentityGroupId, MerchantId, PurchaseId

FAULT = DeliveryFailure(kind=FailureKind.SERVER_FAILED, detail="OSError")
"""A fault of ours."""


def a_received_delivery(
    merchant_id: MerchantId, *, event_id: str, time: datetime, body: bytes = b""
) -> Delivery:
    """A delivery of a shop, received at a time and not tried yet."""
    return Delivery(
        delivery_id=DeliveryId(uuid4()),
        merchant_id=merchant_id,
        platform=Platform.CUSTOM,
        signed_digest=hashlib.sha256(body or event_id.encode()).digest(),
        event_reference=event_id,
        headers={},
        body=body,
        state=DeliveryState.APPLIED,
        failure=None,
        try_count=1,
        failure_count=0,
        receive_time=time,
        body_time=time,
    )


def new_ids() -> NewIds:
    """Fresh ids for everything that a delivery may make."""
    return NewIds(
        node_id=uuid4(),
        group_id=IdentityGroupId(uuid4()),
        purchase_id=PurchaseId(uuid4()),
        interaction_id=uuid4(),
        reversal_id=uuid4(),
    )
