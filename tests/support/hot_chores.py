"""The statements that are sent now and then, to tables of any size, each with its scans.

They ask about the shop of `tests.support.large_tables`, and about one that has nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import md5, sha256
from uuid import UUID

from domains.purchases.model import Delivery, DeliveryState, OrderState, Purchase
from domains.purchases.repository import (
    DeliveryRepository,
    DeliveryRetryRepository,
    PurchaseRepository,
)
from domains.rewards.model import Interaction, InteractionState, Lane, Reward, RewardState
from domains.rewards.repository import EventRepository, RewardRepository
from infrastructure.database.transaction import Transaction
from orchestration.queries.lanes import get_lane
from tests.support.deliveries import FAULT
from tests.support.hot_statements import NOW, SHOP, HotStatement
from tests.support.large_tables import BEGIN, BUSY_PERSON, id_of
from vocabulary.ids import DeliveryId, MerchantId
from vocabulary.recording import IdRange

QUIET_SHOP = MerchantId(id_of("merchant", 2))
CLAIMS_FORGOTTEN = 20
OLD = IdRange(first=UUID(int=1 << 127), end=UUID(int=3 << 126))
"""A stretch of time in the midst of what is recorded: as many rows lie before it as after."""

_DELIVERIES, _RETRIES = DeliveryRepository(), DeliveryRetryRepository()
_EVENTS, _REWARDS = EventRepository(), RewardRepository()

_STATE_OF_A_LANE = {
    "reward_lane": "pk_reward_lane",
    "shop_order": "ix_shop_order_due, ix_shop_order_ready, ix_shop_order_rates",
    "interaction": "ix_interaction_due, ix_interaction_ready, ix_interaction_state",
    "reversal": "ix_reversal_open",
}

_CHORES: dict[str, HotStatement] = {
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
    return await _EVENTS.list_of_merchant(tx, merchant_id, state=state, within=OLD, limit=5)


async def _list_rewards(
    tx: Transaction,
    state: RewardState | None,
    *,
    merchant_id: MerchantId = SHOP,
    person: UUID | None = None,
    purchase: UUID | None = None,
) -> Sequence[Reward]:
    return await _REWARDS.list_of_merchant(
        tx,
        merchant_id,
        identity_group_id=person,
        purchase_id=purchase,
        state=state,
        within=OLD,
        limit=5,
    )


async def _list_purchases(
    tx: Transaction, state: OrderState | None, *, order: str = ""
) -> Sequence[Purchase]:
    return await PurchaseRepository().list_of_merchant(
        tx, SHOP, order_reference=order, state=state, within=OLD, limit=5
    )


_UNITS = {"ledger_unit": "pk_ledger_unit"}


def _interactions(state: InteractionState) -> HotStatement:
    return HotStatement(
        call=lambda tx: _list_interactions(tx, SHOP, state),
        indexes={"interaction": "ix_interaction_state"},
        rows_max=5,
    )


def _deliveries(state: DeliveryState | None) -> HotStatement:
    return HotStatement(
        call=lambda tx: _DELIVERIES.list_of_merchant(tx, SHOP, state=state, within=OLD, limit=5),
        indexes={"delivery": "ix_delivery_state"},
        rows_max=5 * len(DeliveryState) if state is None else 5,
    )


def _purchases(state: OrderState | None) -> HotStatement:
    return HotStatement(
        call=lambda tx: _list_purchases(tx, state),
        indexes={"shop_order": "ix_shop_order_state"},
        rows_max=5 * len(OrderState) if state is None else 5,
    )


def _rewards(state: RewardState | None, person: UUID | None = None) -> HotStatement:
    index = "ix_reward_state" if person is None else "ix_reward_person_state"
    return HotStatement(
        call=lambda tx: _list_rewards(tx, state, person=person),
        indexes={"reward": index, **_UNITS},
        rows_max=5 * len(RewardState) if state is None else 5,
    )


_LISTS: dict[str, HotStatement] = {
    **{f"interactions, {each}": _interactions(each) for each in InteractionState},
    **{f"deliveries, {each}": _deliveries(each) for each in (None, *DeliveryState)},
    **{f"purchases, {each}": _purchases(each) for each in (None, *OrderState)},
    **{f"rewards, {each}": _rewards(each) for each in (None, *RewardState)},
    **{
        f"rewards of a person, {each}": _rewards(each, BUSY_PERSON) for each in (None, *RewardState)
    },
    "purchases of an order": HotStatement(
        call=lambda tx: _list_purchases(tx, OrderState.CONFIRMED, order="order-77"),
        indexes={"shop_order": "pk_shop_order"},
        rows_max=1,
    ),
    "rewards of a quiet shop": HotStatement(
        call=lambda tx: _list_rewards(tx, None, merchant_id=QUIET_SHOP),
        indexes={"reward": "ix_reward_state", **_UNITS},
        rows_max=1,
    ),
    "rewards of a purchase": HotStatement(
        call=lambda tx: _list_rewards(
            tx, RewardState.PENDING, person=BUSY_PERSON, purchase=id_of("purchase", 78)
        ),
        indexes={"reward": "ix_reward_purchase", **_UNITS},
        rows_max=2,
    ),
}
CHORES = _CHORES | _LISTS


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
