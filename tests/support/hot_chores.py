"""The statements that are sent now and then, to tables of any size, each with its scans.

They ask about the shop of `tests.support.large_tables`, and about one that has nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import md5, sha256
from uuid import UUID

from domains.purchases.model import Delivery, DeliveryState
from domains.purchases.repository import (
    DeliveryRepository,
    DeliveryRetryRepository,
    PurchaseRepository,
)
from domains.rewards.model import Interaction, InteractionState, Lane
from domains.rewards.repository import EventRepository
from infrastructure.database.transaction import Transaction
from orchestration.queries.lanes import get_lane
from tests.support.deliveries import FAULT
from tests.support.hot_statements import NOW, SHOP, HotStatement
from tests.support.large_tables import BEGIN, id_of
from vocabulary.ids import DeliveryId, MerchantId

QUIET_SHOP = MerchantId(id_of("merchant", 2))
CLAIMS_FORGOTTEN = 20

_DELIVERIES, _RETRIES = DeliveryRepository(), DeliveryRetryRepository()
_EVENTS = EventRepository()

_STATE_OF_A_LANE = {
    "reward_lane": "pk_reward_lane",
    "shop_order": "ix_shop_order_due, ix_shop_order_ready, ix_shop_order_rates",
    "interaction": "ix_interaction_due, ix_interaction_ready, ix_interaction_state",
    "reversal": "ix_reversal_open",
}

CHORES: dict[str, HotStatement] = {
    "state of a lane": HotStatement(
        call=lambda tx: _read_lane(tx, SHOP), indexes=_STATE_OF_A_LANE, rows_max=6
    ),
    "state of a quiet lane": HotStatement(
        call=lambda tx: _read_lane(tx, QUIET_SHOP), indexes=_STATE_OF_A_LANE, rows_max=1
    ),
    "pending interactions": HotStatement(
        call=lambda tx: _list_interactions(tx, SHOP, InteractionState.PENDING),
        indexes={"interaction": "ix_interaction_state"},
        rows_max=5,
    ),
    "pending interactions of a quiet shop": HotStatement(
        call=lambda tx: _list_interactions(tx, QUIET_SHOP, InteractionState.PENDING),
        indexes={"interaction": "ix_interaction_state"},
        rows_max=1,
    ),
    "interactions": HotStatement(
        call=lambda tx: _list_interactions(tx, SHOP, None),
        indexes={"interaction": "ix_interaction_state"},
        rows_max=20,
    ),
    "dead interactions": HotStatement(
        call=lambda tx: _EVENTS.list_dead(tx, SHOP, None, limit=5),
        indexes={"interaction": "ix_interaction_state"},
        rows_max=5,
    ),
    "claims to forget": HotStatement(
        call=lambda tx: PurchaseRepository().forget_waiting_claims(
            tx, before=NOW, batch_size=CLAIMS_FORGOTTEN
        ),
        indexes={
            "order_claim": "ix_order_claim_create_time, pk_order_claim",
            "shop_order": "pk_shop_order",
        },
        rows_max=CLAIMS_FORGOTTEN + 1,
    ),
    "merchants with failed deliveries": HotStatement(
        call=lambda tx: _RETRIES.list_due_merchants(tx, after=None, now=NOW, limit=5),
        indexes={"delivery": "ix_delivery_retry"},
        rows_max=5,
    ),
    "failed delivery": HotStatement(
        call=lambda tx: _RETRIES.claim_failed(tx, SHOP, now=NOW),
        indexes={"delivery": "ix_delivery_retry"},
        rows_max=1,
    ),
    "failed retry": HotStatement(
        call=lambda tx: _RETRIES.set_tried(
            tx,
            _a_failed_delivery(),
            failure=FAULT,
            now=NOW,
            pause=timedelta(seconds=5),
            tries_max=5,
            orders_max=5,
        ),
        indexes={"delivery": "pk_delivery", "shop_order": "ix_shop_order_purchase"},
        rows_max=5,
    ),
}


async def _read_lane(tx: Transaction, merchant_id: MerchantId) -> Lane:
    return await get_lane(tx, merchant_id, now=NOW, rate_age_max=timedelta(days=7), counted_max=5)


async def _list_interactions(
    tx: Transaction, merchant_id: MerchantId, state: InteractionState | None
) -> Sequence[Interaction]:
    after = id_of("purchase interaction", 77)
    return await _EVENTS.list_of_merchant(tx, merchant_id, state=state, after=after, limit=5)


def _a_failed_delivery() -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(UUID(md5(b"one7", usedforsecurity=False).hexdigest())),
        merchant_id=SHOP,
        platform="custom",
        signed_digest=sha256(b"failed 7").digest(),
        event_reference="",
        headers={},
        body=b"",
        state=DeliveryState.FAILED,
        failure=None,
        try_count=1,
        failure_count=1,
        receive_time=BEGIN,
        body_time=BEGIN,
    )
