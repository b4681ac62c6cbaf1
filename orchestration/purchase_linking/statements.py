"""The statement of a claim: one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from infrastructure.database.transaction import Transaction
from orchestration.arrival.statements import RESOLVE_CLIENT
from orchestration.purchase_linking.errors import ClaimsFullError
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

CLAIMS_MAX = 50
"""How many claims of one order wait for it. Their tokens are unproven until it comes."""


def event_reference_sql(order: str) -> str:
    """The SQL of `domains.rewards.model.event_reference`, for the row `order`.

    A test compares the two.
    """
    return f"""
    'purchase:' || replace({order}.order_reference, '#', '##')
        || CASE WHEN {order}.generation > 1 THEN '#' || {order}.generation ELSE '' END
    """


EVENT_REFERENCE = event_reference_sql("claimed")

EARN = f"""
    earned AS (
        INSERT INTO interaction
            (interaction_id, merchant_id, kind, event_reference, identity_group_id, purchase_id,
             event_time, due_time)
        SELECT :new_interaction_id, claimed.merchant_id, 'purchase', {EVENT_REFERENCE},
               claimed.identity_group_id, claimed.purchase_id, claimed.order_time,
               LEAST(claimed.event_time, CAST(:now AS timestamptz)) + shop.reward_delay
        FROM claimed, shop
        WHERE claimed.state = 'confirmed' AND claimed.identity_group_id IS NOT NULL
        ON CONFLICT ON CONSTRAINT uq_interaction_event DO NOTHING
    ), customer AS (
        -- From now on the shop's customer is this person.
        INSERT INTO identity_node
            (identity_node_id, identity_group_id, kind, value, merchant_id, create_time)
        SELECT :new_customer_node_id, claimed.identity_group_id, 'customer',
               claimed.customer_reference, claimed.merchant_id, :now
        FROM claimed
        WHERE claimed.is_linked_now AND claimed.link <> 'customer'
          AND claimed.customer_reference IS NOT NULL
        ON CONFLICT ON CONSTRAINT uq_identity_node_identifier DO NOTHING
    )"""
"""What follows once an order is linked, read from the row `claimed`: its event, its customer."""

_CLAIM = text(
    f"""
    WITH shop AS (
        SELECT merchant_id, reward_delay FROM merchant WHERE merchant_id = :merchant_id
    ), {RESOLVE_CLIENT}, claimed AS (
        INSERT INTO shop_order AS known
            (merchant_id, order_reference, create_time, claim_digests, claim_groups, claim_times)
        SELECT :merchant_id, :order_reference, :now, ARRAY[CAST(:token_digest AS bytea)],
               ARRAY[visitor.identity_group_id], ARRAY[CAST(:event_time AS timestamptz)]
        FROM visitor
        ON CONFLICT (merchant_id, order_reference) DO UPDATE SET
            (identity_group_id, link, link_time) = (
                SELECT CASE WHEN wins.now THEN excluded.claim_groups[1]
                            ELSE known.identity_group_id END,
                       CASE WHEN wins.now THEN 'claim' ELSE known.link END,
                       CASE WHEN wins.now THEN CAST(:event_time AS timestamptz)
                            ELSE known.link_time END
                FROM (SELECT COALESCE(known.token_digest = excluded.claim_digests[1], false)
                             AND (known.identity_group_id IS NULL
                                  -- A customer's account is a guess at the buyer. Whoever shows
                                  -- the token is the buyer, until the rewards may be decided.
                                  OR known.link = 'customer' AND NOT EXISTS (
                                      SELECT FROM interaction
                                      WHERE interaction.merchant_id = known.merchant_id
                                        AND interaction.kind = 'purchase'
                                        AND interaction.event_reference
                                            = {event_reference_sql("known")}
                                        AND (interaction.state <> 'pending'
                                             OR interaction.due_time <= :now)))
                     ) AS wins (now)
            ),
            (claim_digests, claim_groups, claim_times) = (
                SELECT CASE WHEN waits.new THEN known.claim_digests || excluded.claim_digests
                            ELSE known.claim_digests END,
                       CASE WHEN waits.new THEN known.claim_groups || excluded.claim_groups
                            ELSE known.claim_groups END,
                       CASE WHEN waits.new THEN known.claim_times || excluded.claim_times
                            ELSE known.claim_times END
                -- The first claim with a token is the one that counts.
                FROM (SELECT known.purchase_id IS NULL
                             AND array_position(known.claim_digests, excluded.claim_digests[1])
                                 IS NULL
                             AND cardinality(known.claim_digests) < {CLAIMS_MAX}
                     ) AS waits (new)
            )
        RETURNING merchant_id, order_reference, purchase_id, state, generation, order_time,
                  event_time, customer_reference, identity_group_id, link,
                  old.identity_group_id IS NULL AND new.identity_group_id IS NOT NULL
                      AS is_linked_now,
                  old.identity_group_id <> new.identity_group_id AS is_linked_anew,
                  -- Whoever does not hold the order's token learns nothing of it.
                  COALESCE(new.token_digest = CAST(:token_digest AS bytea), false) AS is_proven,
                  new.purchase_id IS NULL
                      AND array_position(new.claim_digests, CAST(:token_digest AS bytea)) IS NULL
                      AS is_crowded_out
    ), {EARN}, moved AS (
        UPDATE interaction SET identity_group_id = claimed.identity_group_id
        FROM claimed
        WHERE claimed.is_linked_anew AND interaction.merchant_id = claimed.merchant_id
          AND interaction.kind = 'purchase' AND interaction.state = 'pending'
          AND interaction.event_reference = {EVENT_REFERENCE}
    )
    SELECT visitor.identity_group_id, mine.purchase_id,
           (SELECT is_crowded_out FROM claimed) AS is_crowded_out,
           (SELECT count(*) FROM reward WHERE reward.purchase_id = mine.purchase_id) AS reward_count
    FROM visitor LEFT JOIN (
        SELECT claimed.purchase_id, claimed.identity_group_id FROM claimed WHERE claimed.is_proven
    ) AS mine USING (identity_group_id)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """What a claim is written from."""

    merchant_id: MerchantId
    client_id: str
    order_reference: str
    token_digest: bytes
    event_time: datetime
    now: datetime
    new_node_id: UUID
    new_group_id: IdentityGroupId
    new_interaction_id: UUID
    new_customer_node_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim came to. Without a purchase it waits, or cannot win."""

    identity_group_id: IdentityGroupId
    purchase_id: PurchaseId | None
    reward_count: int


async def claim(tx: Transaction, row: ClaimRow) -> Claimed | None:
    """Writes everything of a claim. None: there is no such merchant, nothing is written.

    Raises:
        ClaimsFullError: as many claims as may wait for the order have other tokens.
    """
    parameters = {
        "merchant_id": row.merchant_id,
        "client_id": row.client_id,
        "order_reference": row.order_reference,
        "token_digest": row.token_digest,
        "event_time": row.event_time,
        "now": row.now,
        "new_node_id": row.new_node_id,
        "new_group_id": row.new_group_id,
        "new_interaction_id": row.new_interaction_id,
        "new_customer_node_id": row.new_customer_node_id,
    }
    found = (await tx.execute(_CLAIM, parameters)).one_or_none()
    if found is None:
        return None
    if found.is_crowded_out:
        raise ClaimsFullError(row.order_reference)
    return Claimed(
        identity_group_id=IdentityGroupId(found.identity_group_id),
        purchase_id=None if found.purchase_id is None else PurchaseId(found.purchase_id),
        reward_count=found.reward_count,
    )
