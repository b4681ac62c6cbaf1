"""The statements of a delivery: one that reads the shop, one that writes everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from domains.purchases.model import Delivery, OrderEvent, OrderState, token_digest
from infrastructure.database.transaction import Transaction, sqlstate
from orchestration.arrival.statements import RESOLVE_CLIENT
from orchestration.purchase_linking.statements import EARN, EVENT_REFERENCE
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

_NOT_NULL_VIOLATION = "23502"

_SHOP = """
    SELECT merchant.merchant_id, webhook.platform, webhook.sealed_key
    FROM merchant LEFT JOIN merchant_webhook AS webhook USING (merchant_id)
"""
_SHOP_BY_MERCHANT = text(f"{_SHOP} WHERE merchant.merchant_id = :merchant_id")
_SHOP_BY_PRODUCT = text(f"{_SHOP} WHERE merchant.product_id = :product_id")

_RANK = "array_position(ARRAY['{}'], {{}})".format("', '".join(OrderState))
_STATES_VOID = ", ".join(f"'{state}'" for state in OrderState if state.is_void)

# The order of the parts matters. `fresh` keeps a delivery that was applied before from touching
# the order; the order row comes next, because it is what claims and other deliveries wait at;
# `kept` comes last and ends the statement if a twin of this very delivery was applied while it
# waited: the twin's row is not in this statement's snapshot, but it is in the unique index.
_APPLY = text(
    f"""
    WITH shop AS (
        SELECT merchant_id, reward_delay FROM merchant WHERE merchant_id = :merchant_id
    ), fresh AS (
        SELECT shop.merchant_id FROM shop WHERE NOT EXISTS (
            SELECT FROM delivery
            WHERE merchant_id = :merchant_id AND platform = :platform
              AND event_reference = :delivery_reference AND state IN ('applied', 'ignored'))
    ), {RESOLVE_CLIENT}, buyer AS (
        SELECT identity_group_id, link FROM (
            SELECT identity_group_id, 'client' AS link, 1 AS preference FROM visitor
            UNION ALL
            SELECT identity_group_id, 'customer', 2 FROM identity_node
            WHERE kind = 'customer' AND value = :customer_reference AND merchant_id = :merchant_id
        ) AS found ORDER BY preference LIMIT 1
    ), claimed AS (
        INSERT INTO shop_order AS known
            (merchant_id, order_reference, create_time, purchase_id, state, event_time, body_hash,
             order_time, order_time_stated, content_key, customer_reference, token_digest, total,
             currency, items, voided, identity_group_id, link, link_time)
        SELECT :merchant_id, :order_reference, :now, :new_purchase_id, :state, :event_time,
               :body_hash, :order_time, :order_time_stated, :content_key, :customer_reference,
               :token_digest, CAST(:total AS numeric), :currency, CAST(:items AS jsonb),
               CAST(:state AS text) IN ({_STATES_VOID}),
               buyer.identity_group_id, buyer.link,
               CASE WHEN buyer.link IS NOT NULL THEN CAST(:now AS timestamptz) END
        FROM fresh LEFT JOIN buyer ON true
        ON CONFLICT (merchant_id, order_reference) DO UPDATE SET
            (purchase_id, state, event_time, body_hash, token_digest, generation, voided) = (
                SELECT COALESCE(known.purchase_id, excluded.purchase_id),
                       changed.state, changed.event_time, changed.body_hash,
                       changed.token_digest,
                       known.generation + CASE WHEN event.is_reborn THEN 1 ELSE 0 END,
                       (known.voided AND NOT event.is_reborn)
                           OR changed.state IN ({_STATES_VOID})
                FROM (
                    SELECT judged.is_newer, judged.is_newer AND known.voided
                                            AND excluded.state = 'confirmed' AS is_reborn
                    FROM (
                        SELECT known.state IS NULL
                               OR (excluded.state <> 'pending', excluded.event_time,
                                   {_RANK.format("excluded.state")}, excluded.body_hash)
                                > (known.state <> 'pending', known.event_time,
                                   {_RANK.format("known.state")}, known.body_hash) AS is_newer
                    ) AS judged
                ) AS event, LATERAL (
                    SELECT excluded.state, excluded.event_time, excluded.body_hash,
                           excluded.token_digest
                    WHERE event.is_newer
                    UNION ALL
                    SELECT known.state, known.event_time, known.body_hash, known.token_digest
                    WHERE NOT event.is_newer
                ) AS changed
            ),
            (content_key, customer_reference, total, currency, items) = (
                SELECT excluded.content_key, excluded.customer_reference, excluded.total,
                       excluded.currency, excluded.items
                WHERE excluded.content_key > known.content_key
                UNION ALL
                SELECT known.content_key, known.customer_reference, known.total, known.currency,
                       known.items
                WHERE excluded.content_key <= known.content_key
            ),
            -- A time that the shop named, else that of the first report; the earlier of two.
            order_time = CASE
                WHEN excluded.order_time_stated = known.order_time_stated
                    THEN LEAST(known.order_time, excluded.order_time)
                WHEN excluded.order_time_stated OR known.order_time IS NULL
                    THEN excluded.order_time
                ELSE known.order_time END,
            order_time_stated = known.order_time_stated OR excluded.order_time_stated,
            (identity_group_id, link, link_time) = (
                SELECT found.identity_group_id, found.link, found.link_time FROM (
                    SELECT known.identity_group_id, known.link, known.link_time, 1 AS preference
                    UNION ALL
                    SELECT known.claim_groups[claim.position], 'claim',
                           known.claim_times[claim.position], 2
                    FROM (SELECT array_position(known.claim_digests, excluded.token_digest)
                         ) AS claim (position)
                    UNION ALL
                    SELECT excluded.identity_group_id, excluded.link, excluded.link_time, 3
                ) AS found
                ORDER BY found.identity_group_id IS NULL, found.preference LIMIT 1
            ),
            claim_digests = '{{}}', claim_groups = '{{}}', claim_times = '{{}}'
        RETURNING merchant_id, order_reference, purchase_id, state, generation, order_time,
                  event_time, customer_reference, identity_group_id, link,
                  old.identity_group_id IS NULL AND new.identity_group_id IS NOT NULL
                      AS is_linked_now,
                  old.state = 'confirmed' AND new.voided AS is_taken_back,
                  old.order_time <> new.order_time AS is_dated_anew,
                  (old.state, old.event_time, old.body_hash, old.content_key, old.order_time,
                   old.identity_group_id)
                      IS DISTINCT FROM (new.state, new.event_time, new.body_hash, new.content_key,
                                        new.order_time, new.identity_group_id) AS is_applied
    ), {EARN}, dated AS (
        -- What is charged is the month of the order, whichever report named its time.
        UPDATE interaction SET event_time = claimed.order_time
        FROM claimed
        WHERE claimed.is_dated_anew AND interaction.merchant_id = claimed.merchant_id
          AND interaction.kind = 'purchase' AND interaction.state = 'pending'
          AND interaction.event_reference = {EVENT_REFERENCE}
    ), taken_back AS (
        INSERT INTO reversal (reversal_id, merchant_id, event_reference, create_time)
        SELECT :new_reversal_id, claimed.merchant_id, {EVENT_REFERENCE}, :now
        FROM claimed WHERE claimed.is_taken_back
        ON CONFLICT ON CONSTRAINT uq_reversal_event DO NOTHING
    ), kept AS (
        INSERT INTO delivery AS known
            (merchant_id, delivery_id, platform, event_reference, headers, body, state,
             receive_time)
        SELECT :merchant_id, :delivery_id, :platform, :delivery_reference, :headers, :body,
               CASE WHEN claimed.is_applied THEN 'applied' ELSE 'ignored' END, :receive_time
        FROM claimed
        ON CONFLICT ON CONSTRAINT uq_delivery_event DO UPDATE SET
            state = excluded.state, headers = excluded.headers, body = excluded.body,
            failure = '', retry_time = NULL,
            -- A twin was applied meanwhile: the column takes no NULL, so nothing of this stays.
            try_count = CASE WHEN known.state IN ('failed', 'dead') THEN known.try_count + 1 END
    )
    SELECT claimed.purchase_id, claimed.identity_group_id, claimed.is_applied FROM claimed
    """
).bindparams(bindparam("headers", type_=JSONB))


class Applied(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"
    IGNORED = "ignored"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Whose deliveries come to an address, and how they are signed. No key: none is set up."""

    merchant_id: MerchantId
    platform: str | None
    sealed_key: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids of everything that a delivery may make."""

    node_id: UUID
    group_id: IdentityGroupId
    purchase_id: PurchaseId
    interaction_id: UUID
    customer_node_id: UUID
    reversal_id: UUID


async def find_shop(
    tx: Transaction, *, merchant_id: MerchantId | None, product_id: bytes | None
) -> Shop | None:
    """The shop of a merchant id or of a product id; None if there is none."""
    if merchant_id is not None:
        found = await tx.execute(_SHOP_BY_MERCHANT, {"merchant_id": merchant_id})
    else:
        found = await tx.execute(_SHOP_BY_PRODUCT, {"product_id": product_id})
    row = found.one_or_none()
    if row is None:
        return None
    return Shop(
        merchant_id=MerchantId(row.merchant_id),
        platform=row.platform,
        sealed_key=row.sealed_key,
    )


async def apply(
    tx: Transaction, delivery: Delivery, event: OrderEvent, ids: NewIds, *, now: datetime
) -> Applied:
    """Writes a delivery and all its effects, or nothing if it was applied before."""
    parameters = {
        "merchant_id": delivery.merchant_id,
        "platform": delivery.platform,
        "delivery_id": delivery.delivery_id,
        "delivery_reference": delivery.event_reference,
        "headers": delivery.headers,
        "body": delivery.body,
        "receive_time": delivery.receive_time,
        "now": now,
        "client_id": event.client_id,
        "new_node_id": ids.node_id,
        "new_group_id": ids.group_id,
        "customer_reference": event.customer_reference,
        "order_reference": event.order_reference,
        "new_purchase_id": ids.purchase_id,
        "state": event.state,
        "event_time": event.event_time,
        "body_hash": event.body_hash,
        "order_time": event.order_time,
        "order_time_stated": event.order_time_stated,
        "content_key": event.content_key,
        "token_digest": token_digest(event.token),
        "total": event.total,
        "currency": event.currency,
        "items": orjson.dumps([item.to_document() for item in event.items]).decode(),
        "new_interaction_id": ids.interaction_id,
        "new_customer_node_id": ids.customer_node_id,
        "new_reversal_id": ids.reversal_id,
    }
    try:
        row = (await tx.execute(_APPLY, parameters)).one_or_none()
    except IntegrityError as failure:
        if sqlstate(failure) == _NOT_NULL_VIOLATION and "try_count" in str(failure.orig):
            return Applied.REPEATED
        raise
    if row is None:
        return Applied.REPEATED
    return Applied.APPLIED if row.is_applied else Applied.IGNORED
