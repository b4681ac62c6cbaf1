"""The statement of a delivery: it decides and writes everything."""

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
from domains.purchases.model.evidence import TOKENS_MAX
from domains.purchases.repository.customers import KNOWN_CUSTOMER
from infrastructure.database.failures import sqlstate
from infrastructure.database.transaction import Transaction
from orchestration.arrival.statements import RESOLVE_CLIENT
from orchestration.purchase_linking.statements import EARN, ORDER_RETURNS
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

_NOT_NULL_VIOLATION = "23502"

_RANK = "array_position(ARRAY['{}'], {{}})".format("', '".join(OrderState))
_STATES_VOID = ", ".join(f"'{state}'" for state in OrderState if state.is_void)

# The order of the parts matters. `fresh` keeps a delivery that was applied before from touching
# the order; the order row comes next, because it is what claims, other deliveries and the worker
# wait at; `kept` comes last and ends the statement if a twin of this very delivery was applied
# while it waited: the twin's row is not in this statement's snapshot, but it is in the unique
# index.
#
# After the wait only the order's own columns are read. `seen` is what claims there were before
# it: if they are others by now, nothing is written, and the caller comes again.
_APPLY = text(
    f"""
    WITH shop AS (
        SELECT merchant_id, reward_delay FROM merchant WHERE merchant_id = :merchant_id
    ), fresh AS (
        SELECT shop.merchant_id FROM shop WHERE NOT EXISTS (
            SELECT FROM delivery
            WHERE merchant_id = :merchant_id AND platform = :platform
              AND signed_digest = :signed_digest AND state IN ('applied', 'ignored'))
    ), {RESOLVE_CLIENT}, seen AS MATERIALIZED (
        SELECT known.claim_count, known.create_time, earliest.identity_group_id,
               earliest.claim_time
        FROM shop_order AS known LEFT JOIN LATERAL (
            SELECT identity_group_id, claim_time FROM order_claim
            WHERE order_claim.merchant_id = :merchant_id
              AND order_claim.order_reference = :order_reference
              AND order_claim.token_digest = CAST(:token_digest AS bytea)
            ORDER BY claim_time, identity_group_id LIMIT 1
        ) AS earliest ON true
        WHERE known.merchant_id = :merchant_id AND known.order_reference = :order_reference
    ), said AS MATERIALIZED (
        -- What this report says of the buyer, and from when on the order may be decided.
        SELECT fresh.merchant_id,
               (SELECT identity_group_id FROM visitor) AS hint_group_id,
               ({KNOWN_CUSTOMER}) AS guess_group_id,
               (SELECT claim_count FROM seen) AS claim_count,
               (SELECT create_time FROM seen) AS create_time,
               (SELECT identity_group_id FROM seen) AS claim_group_id,
               (SELECT claim_time FROM seen) AS claim_time,
               CAST(:state AS text) = 'confirmed' AS is_confirmed,
               shop.reward_delay
        FROM fresh, shop
    ), claimed AS (
        INSERT INTO shop_order AS known
            (merchant_id, order_reference, create_time, purchase_id, first_report_time, state,
             event_time, body_hash, order_time, order_time_stated, content_key, total, currency,
             customer_reference, customer_key, items, subtotal, items_currency, items_key, voided,
             token_digests, hint_group_id, hint_key, guess_time, guess_group_id,
             interaction_generation, due_time)
        SELECT :merchant_id, :order_reference, :now, :new_purchase_id, :receive_time, :state,
               :event_time, :body_hash, :order_time, :order_time_stated, :content_key,
               CAST(:total AS numeric), :currency, CAST(:customer_reference AS text),
               CASE WHEN CAST(:customer_reference AS text) IS NULL THEN '' END,
               COALESCE(CAST(:items AS jsonb), '[]'), CAST(:subtotal AS numeric),
               CASE WHEN CAST(:items AS jsonb) IS NOT NULL THEN :currency END,
               CASE WHEN CAST(:items AS jsonb) IS NULL THEN '' END,
               CAST(:state AS text) IN ({_STATES_VOID}), ARRAY[CAST(:token_digest AS bytea)],
               said.hint_group_id,
               CASE WHEN said.hint_group_id IS NOT NULL THEN :hint_key ELSE '' END,
               CASE WHEN CAST(:customer_reference AS text) IS NOT NULL
                    THEN CAST(:receive_time AS timestamptz) END,
               said.guess_group_id,
               CASE WHEN interaction.begins THEN 1 ELSE 0 END,
               CASE WHEN interaction.begins
                    THEN GREATEST(:now, LEAST(:event_time, :now) + said.reward_delay) END
        FROM said, LATERAL (
            SELECT said.is_confirmed
                   AND COALESCE(said.hint_group_id, said.guess_group_id) IS NOT NULL AS begins
        ) AS interaction
        ON CONFLICT (merchant_id, order_reference) DO UPDATE SET
            (purchase_id, first_report_time, state, event_time, body_hash, generation, voided,
             content_key, total, currency, customer_reference, customer_key, items, subtotal,
             items_currency, items_key, order_time, heard_time, order_time_stated, token_digests,
             claim_group_id, claim_time, claim_digest, hint_group_id, hint_key, guess_time,
             guess_group_id, interaction_generation, due_time, ready_round, needed_rate) = (
                SELECT COALESCE(known.purchase_id, excluded.purchase_id),
                       LEAST(known.first_report_time, excluded.first_report_time),
                       standing.state, standing.event_time, standing.body_hash,
                       standing.generation, standing.voided,
                       content.content_key, content.total, content.currency,
                       CASE WHEN named.has_customer THEN excluded.customer_reference
                            ELSE known.customer_reference END,
                       NULLIF(CASE WHEN named.has_customer THEN excluded.content_key
                                   ELSE judged.customer_key END, content.content_key),
                       CASE WHEN named.has_lines THEN excluded.items
                            ELSE COALESCE(known.items, '[]') END,
                       CASE WHEN named.has_lines THEN excluded.subtotal
                            ELSE known.subtotal END,
                       CASE WHEN named.has_lines THEN excluded.items_currency
                            ELSE known.items_currency END,
                       NULLIF(CASE WHEN named.has_lines THEN excluded.content_key
                                   ELSE judged.items_key END, content.content_key),
                       CASE WHEN judged.is_fixed THEN known.order_time ELSE dated.order_time END,
                       CASE WHEN known.fixed_generation > 0
                            THEN NULLIF(dated.order_time, known.order_time) END,
                       known.order_time_stated OR excluded.order_time_stated,
                       CASE WHEN judged.carries_new_token
                            THEN known.token_digests || excluded.token_digests
                            ELSE known.token_digests END,
                       proven.claim_group_id, proven.claim_time, proven.claim_digest,
                       CASE WHEN judged.hints THEN excluded.hint_group_id
                            ELSE known.hint_group_id END,
                       CASE WHEN judged.hints THEN excluded.hint_key ELSE known.hint_key END,
                       CASE WHEN judged.guesses THEN excluded.guess_time
                            ELSE known.guess_time END,
                       CASE WHEN judged.guesses THEN excluded.guess_group_id
                            ELSE known.guess_group_id END,
                       CASE WHEN interaction.begins THEN standing.generation
                            ELSE known.interaction_generation END,
                       queue.due_time, queue.ready_round, queue.needed_rate
                FROM said, LATERAL (
                    SELECT known.state IS NULL
                           OR (excluded.state <> 'pending', excluded.event_time,
                               {_RANK.format("excluded.state")}, excluded.body_hash)
                            > (known.state <> 'pending', known.event_time,
                               {_RANK.format("known.state")}, known.body_hash) AS is_newer,
                           known.fixed_group_id IS NOT NULL AS is_fixed,
                           COALESCE(known.heard_time, known.order_time) AS known_time,
                           NOT known.token_digests @> excluded.token_digests
                               AND cardinality(known.token_digests) < {TOKENS_MAX}
                               AS carries_new_token,
                           excluded.hint_key > known.hint_key AS hints,
                           -- The first one received, of whatever try. Nobody is taken away.
                           known.guess_time IS NULL
                               OR (excluded.guess_time < known.guess_time
                                   AND excluded.guess_group_id IS NOT NULL) AS guesses,
                           COALESCE(known.customer_key, known.content_key) AS customer_key,
                           COALESCE(known.items_key, known.content_key) AS items_key
                ) AS judged, LATERAL (
                    SELECT judged.is_newer AND known.voided AND said.is_confirmed AS is_reborn
                ) AS life, LATERAL (
                    SELECT CASE WHEN judged.is_newer THEN excluded.state ELSE known.state END
                               AS state,
                           CASE WHEN judged.is_newer THEN excluded.event_time
                                ELSE known.event_time END AS event_time,
                           CASE WHEN judged.is_newer THEN excluded.body_hash
                                ELSE known.body_hash END AS body_hash,
                           known.generation + CASE WHEN life.is_reborn THEN 1 ELSE 0 END
                               AS generation,
                           (known.voided AND NOT life.is_reborn)
                               OR (judged.is_newer AND excluded.voided) AS voided
                ) AS standing, LATERAL (
                    SELECT excluded.content_key, excluded.total, excluded.currency
                    WHERE excluded.content_key > known.content_key
                    UNION ALL
                    SELECT known.content_key, known.total, known.currency
                    WHERE excluded.content_key <= known.content_key
                ) AS content, LATERAL (
                    -- What a report leaves out stays as another one named it.
                    SELECT excluded.customer_key IS NULL
                               AND excluded.content_key > judged.customer_key AS has_customer,
                           excluded.items_key IS NULL
                               AND excluded.content_key > judged.items_key AS has_lines
                ) AS named, LATERAL (
                    -- A time that the shop named, else that of the first report; the earlier
                    -- of two.
                    SELECT CASE
                        WHEN excluded.order_time_stated = known.order_time_stated
                            THEN LEAST(judged.known_time, excluded.order_time)
                        WHEN excluded.order_time_stated OR judged.known_time IS NULL
                            THEN excluded.order_time
                        ELSE judged.known_time END AS order_time
                ) AS dated, LATERAL (
                    SELECT said.claim_group_id, said.claim_time,
                           CAST(:token_digest AS bytea) AS claim_digest
                    WHERE judged.carries_new_token AND said.claim_group_id IS NOT NULL
                    UNION ALL
                    SELECT known.claim_group_id, known.claim_time, known.claim_digest
                    ORDER BY claim_time, claim_digest, claim_group_id LIMIT 1
                ) AS proven, LATERAL (
                    SELECT standing.state = 'confirmed' AND COALESCE(
                               known.fixed_group_id, proven.claim_group_id,
                               known.hint_group_id, excluded.hint_group_id,
                               known.guess_group_id,
                               CASE WHEN judged.guesses THEN excluded.guess_group_id END
                           ) IS NOT NULL AS earns
                ) AS buyer, LATERAL (
                    SELECT buyer.earns AND known.interaction_generation < standing.generation
                               AS begins
                ) AS interaction, LATERAL (
                    SELECT counts.is_moved AND known.due_time IS NOT NULL AS is_dated_anew,
                           -- Of one that is fixed right now, whoever lets go of it sees to that.
                           known.needed_rate IS NOT NULL AND known.fixed_generation = 0
                               AND (counts.is_moved
                                    OR content.currency IS DISTINCT FROM known.currency)
                               AS needs_another_rate
                    FROM (SELECT NOT judged.is_fixed AND dated.order_time <> known.order_time
                                 AS is_moved) AS counts
                ) AS queued, LATERAL (
                    SELECT CASE
                               WHEN NOT buyer.earns THEN NULL
                               WHEN interaction.begins THEN GREATEST(
                                   :now, LEAST(standing.event_time, :now) + said.reward_delay)
                               -- It takes its new place in the lane, or waits for nothing more.
                               WHEN queued.is_dated_anew AND known.ready_round IS NOT NULL
                                    OR queued.needs_another_rate THEN :now
                               ELSE known.due_time END AS due_time,
                           CASE WHEN buyer.earns AND NOT interaction.begins
                                     AND NOT queued.is_dated_anew AND NOT queued.needs_another_rate
                                THEN known.ready_round END AS ready_round,
                           CASE WHEN buyer.earns AND NOT queued.needs_another_rate
                                THEN known.needed_rate END AS needed_rate
                ) AS queue
            )
        -- Claims that were not seen matter only to a token that is new. An order that was forgotten
        -- and claimed anew counts its claims from one again.
        WHERE known.claim_count = 0
           OR known.token_digests @> excluded.token_digests
           OR (known.claim_count, known.create_time)
              = (SELECT claim_count, create_time FROM said)
        RETURNING {ORDER_RETURNS},
                  COALESCE(new.voided AND NOT old.voided
                           AND old.interaction_generation = old.generation, false)
                      AS is_taken_back,
                  -- After a decision the guess and the time count no more. The other evidence does:
                  -- it tells whose the customer is, and to which claims.
                  (old.state, old.event_time, old.body_hash, old.content_key,
                   old.customer_reference, old.items, old.token_digests, old.claim_group_id,
                   old.hint_group_id)
                      IS DISTINCT FROM
                      (new.state, new.event_time, new.body_hash, new.content_key,
                       new.customer_reference, new.items, new.token_digests, new.claim_group_id,
                       new.hint_group_id)
                      OR new.decided_generation = 0
                         AND (old.order_time, old.heard_time, old.guess_group_id)
                             IS DISTINCT FROM
                             (new.order_time, new.heard_time, new.guess_group_id) AS is_applied
    ), {EARN}, taken_back AS (
        INSERT INTO reversal (reversal_id, merchant_id, order_reference, generation, create_time)
        SELECT :new_reversal_id, claimed.merchant_id, claimed.order_reference,
               claimed.generation, :now
        FROM claimed WHERE claimed.is_taken_back
    ), kept AS (
        INSERT INTO delivery AS known
            (merchant_id, delivery_id, platform, signed_digest, event_reference, headers, body,
             state, passed_over, notes, receive_time, body_time, try_time)
        SELECT :merchant_id, :delivery_id, :platform, :signed_digest, :event_reference, :headers,
               :body, CASE WHEN claimed.is_applied THEN 'applied' ELSE 'ignored' END,
               CASE WHEN claimed.is_applied THEN '' ELSE 'nothing_new' END, :notes,
               :receive_time, :body_time, :now
        FROM claimed
        ON CONFLICT ON CONSTRAINT uq_delivery_signed DO UPDATE SET
            state = excluded.state, passed_over = excluded.passed_over,
            notes = excluded.notes, failure = '', retry_time = NULL, try_time = excluded.try_time,
            -- A twin was applied meanwhile: the column takes no NULL, so nothing of this stays.
            try_count = CASE WHEN known.state IN ('failed', 'dead') THEN known.try_count + 1 END
    )
    SELECT EXISTS (SELECT FROM fresh) AND NOT EXISTS (SELECT FROM claimed) AS is_undecided,
           (SELECT is_applied FROM claimed) AS is_applied
    """
).bindparams(bindparam("headers", type_=JSONB), bindparam("notes", type_=JSONB))
_LOCK_ORDER = text(
    """
    SELECT FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = :order_reference
    FOR NO KEY UPDATE
    """
)


class Applied(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"
    IGNORED = "ignored"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids of everything that a delivery may make."""

    node_id: UUID
    group_id: IdentityGroupId
    purchase_id: PurchaseId
    interaction_id: UUID
    reversal_id: UUID


async def apply(
    tx: Transaction, delivery: Delivery, event: OrderEvent, ids: NewIds, *, now: datetime
) -> Applied | None:
    """Writes a delivery and all its effects, or nothing if it was applied before.

    None: the order was claimed while this waited for its row; again, after `lock_order`. The
    locks are the order's row and those of the rows that are made.
    """
    parameters = {
        "merchant_id": delivery.merchant_id,
        "platform": delivery.platform,
        "delivery_id": delivery.delivery_id,
        "signed_digest": delivery.signed_digest,
        "event_reference": delivery.event_reference,
        "headers": delivery.headers,
        "body": delivery.body,
        "receive_time": delivery.receive_time,
        "body_time": delivery.body_time,
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
        "hint_key": event.guard_key,
        "token_digest": token_digest(event.token),
        "total": event.total,
        "currency": event.currency,
        "subtotal": event.subtotal,
        "notes": [note.to_document() for note in event.notes],
        "items": None
        if event.items is None
        else orjson.dumps([item.to_document() for item in event.items]).decode(),
        "new_interaction_id": ids.interaction_id,
        "new_reversal_id": ids.reversal_id,
    }
    try:
        row = (await tx.execute(_APPLY, parameters)).one()
    except IntegrityError as failure:
        if sqlstate(failure) == _NOT_NULL_VIOLATION and "try_count" in str(failure.orig):
            return Applied.REPEATED
        raise
    if row.is_undecided:
        return None
    if row.is_applied is None:
        return Applied.REPEATED
    return Applied.APPLIED if row.is_applied else Applied.IGNORED


async def lock_order(tx: Transaction, merchant_id: MerchantId, order_reference: str) -> None:
    """Locks an order's row, so that what is read next is as of now. Waits for whoever has it."""
    await tx.execute(_LOCK_ORDER, {"merchant_id": merchant_id, "order_reference": order_reference})
