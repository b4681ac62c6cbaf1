"""The statements of a claim: one, and a second one that counts what a decided order earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from infrastructure.database.transaction import Transaction
from orchestration.arrival.statements import RESOLVE_CLIENT
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

ORDER_RETURNS = """
    merchant_id, order_reference, purchase_id, generation, identity_group_id, due_time,
    decided_generation, new.fixed_group_id IS NOT NULL AS is_fixed,
    new.interaction_generation > COALESCE(old.interaction_generation, 0) AS is_earning_now
"""
"""What follows from an order's row as it was written: returned as `claimed`."""

EARN = """
    earned AS (
        -- The row says that there is no such interaction, so nothing is waited for.
        INSERT INTO interaction
            (interaction_id, merchant_id, kind, order_reference, generation, due_time)
        SELECT :new_interaction_id, claimed.merchant_id, 'purchase', claimed.order_reference,
               claimed.generation, claimed.due_time
        FROM claimed WHERE claimed.is_earning_now
    )"""
"""What follows once an order's buyer is known, read from the row `claimed`."""

# The order row is what reports, other claims and the worker wait at. After that wait only its
# own columns are read: `visitor` and `shop` were read before, and nothing that happens to an
# order changes them.
_CLAIM = text(
    f"""
    WITH shop AS (
        SELECT merchant_id, reward_delay FROM merchant WHERE merchant_id = :merchant_id
    ), {RESOLVE_CLIENT}, claimed AS (
        INSERT INTO shop_order AS known (merchant_id, order_reference, create_time, claim_count)
        SELECT :merchant_id, :order_reference, :now, 1 FROM visitor
        ON CONFLICT (merchant_id, order_reference) DO UPDATE SET
            claim_count = known.claim_count + 1,
            (claim_group_id, claim_time, claim_digest, interaction_generation, due_time) = (
                SELECT CASE WHEN claim.wins THEN visitor.identity_group_id
                            ELSE known.claim_group_id END,
                       CASE WHEN claim.wins THEN CAST(:event_time AS timestamptz)
                            ELSE known.claim_time END,
                       CASE WHEN claim.wins THEN CAST(:token_digest AS bytea)
                            ELSE known.claim_digest END,
                       CASE WHEN interaction.begins THEN known.generation
                            ELSE known.interaction_generation END,
                       CASE WHEN interaction.begins
                            THEN GREATEST(:now, LEAST(known.event_time, :now) + shop.reward_delay)
                            ELSE known.due_time END
                FROM visitor, shop, LATERAL (
                    -- Whoever shows a token that a report has carried is the buyer; of several,
                    -- the earliest.
                    SELECT known.token_digests @> ARRAY[CAST(:token_digest AS bytea)]
                           AND (known.claim_group_id IS NULL
                                OR (CAST(:event_time AS timestamptz),
                                    CAST(:token_digest AS bytea), visitor.identity_group_id)
                                 < (known.claim_time, known.claim_digest, known.claim_group_id))
                           AS wins
                ) AS claim, LATERAL (
                    SELECT known.state = 'confirmed'
                           AND known.interaction_generation < known.generation
                           AND (claim.wins OR known.identity_group_id IS NOT NULL) AS begins
                ) AS interaction
            )
        RETURNING {ORDER_RETURNS},
                  -- Whoever does not hold the order's token learns nothing of it.
                  new.token_digests @> ARRAY[CAST(:token_digest AS bytea)] AS is_proven
    ), waiting AS (
        INSERT INTO order_claim AS known (merchant_id, order_reference, token_digest,
                                          identity_group_id, claim_time, create_time)
        SELECT claimed.merchant_id, claimed.order_reference, :token_digest,
               visitor.identity_group_id, :event_time, :now
        FROM claimed, visitor
        -- After a decision it still tells whose the customer is.
        WHERE NOT claimed.is_proven
        ON CONFLICT (merchant_id, order_reference, token_digest, identity_group_id)
            -- Told again, it is kept from now on.
            DO UPDATE SET claim_time = LEAST(known.claim_time, excluded.claim_time),
                          create_time = GREATEST(known.create_time, excluded.create_time)
    ), {EARN}
    SELECT visitor.identity_group_id, mine.purchase_id,
           COALESCE(mine.is_fixed, false) AS is_decided
    FROM visitor LEFT JOIN (
        SELECT purchase_id, identity_group_id, is_fixed FROM claimed WHERE is_proven
    ) AS mine USING (identity_group_id)
    """
)
_COUNT_REWARDS = text("SELECT count(*) FROM reward WHERE purchase_id = :purchase_id")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim came to. Without a purchase it waits, or cannot win."""

    identity_group_id: IdentityGroupId
    purchase_id: PurchaseId | None
    reward_count: int


async def claim(tx: Transaction, row: ClaimRow) -> Claimed | None:
    """Writes everything of a claim. None: there is no such merchant, nothing is written.

    Locks the order's row and, in it, the claim's.
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
    }
    found = (await tx.execute(_CLAIM, parameters)).one_or_none()
    if found is None:
        return None
    reward_count = 0
    if found.is_decided:
        # A statement of its own: the first one may have waited while they were written.
        counted = await tx.execute(_COUNT_REWARDS, {"purchase_id": found.purchase_id})
        reward_count = counted.scalar_one()
    return Claimed(
        identity_group_id=IdentityGroupId(found.identity_group_id),
        purchase_id=None if found.purchase_id is None else PurchaseId(found.purchase_id),
        reward_count=reward_count,
    )
