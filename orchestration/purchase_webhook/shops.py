"""The statement that reads whose a delivery is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

# With the times at which this very delivery and its body came first, if it could not be applied
# then; of a body that named a time after its receipt, also if it was applied: told again it would
# be newer than what came between.
_SHOP = """
    SELECT merchant.merchant_id, webhook.platform, webhook.sealed_key, webhook.previous_sealed_key,
           webhook.previous_key_end_time,
           CASE WHEN kept.state IN ('failed', 'dead') THEN kept.receive_time END AS first_time,
           LEAST(CASE WHEN kept.state IN ('failed', 'dead') THEN kept.body_time END,
                 ahead.body_time) AS body_time
    FROM merchant LEFT JOIN merchant_webhook AS webhook USING (merchant_id)
    LEFT JOIN LATERAL (
        SELECT state, receive_time, body_time FROM delivery
        WHERE merchant_id = merchant.merchant_id AND platform = webhook.platform
          AND signed_digest = :signed_digest
        OFFSET 0
    ) AS kept ON true
    CROSS JOIN LATERAL (
        SELECT min(body_time) AS body_time FROM delivery
        WHERE merchant_id = merchant.merchant_id AND sha256(body) = :body_digest
          AND notes @> '[{"word": "taken_as_receipt"}]'
    ) AS ahead
"""
_SHOP_BY_MERCHANT = text(f"{_SHOP} WHERE merchant.merchant_id = :merchant_id")
_SHOP_BY_PRODUCT = text(f"{_SHOP} WHERE merchant.product_id = :product_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Whose deliveries come to an address, and how they are signed. No key: none is set up.

    `first_time` is when the delivery that is asked about came first, if it was not applied then;
    `body_time` when its body first came.
    """

    merchant_id: MerchantId
    platform: str | None
    sealed_key: bytes | None
    previous_sealed_key: bytes | None
    previous_key_end_time: datetime | None
    first_time: datetime | None
    body_time: datetime | None

    def previous_key(self, now: datetime) -> bytes | None:
        """The sealed key before the present one, as long as it verifies as well."""
        end = self.previous_key_end_time
        return self.previous_sealed_key if end is not None and now < end else None


async def find_shop(
    tx: Transaction,
    *,
    merchant_id: MerchantId | None,
    product_id: bytes | None,
    signed_digest: bytes,
    body_digest: bytes,
) -> Shop | None:
    """The shop of a merchant id or of a product id, for a delivery; None if there is none."""
    asked = {"signed_digest": signed_digest, "body_digest": body_digest}
    if merchant_id is not None:
        found = await tx.execute(_SHOP_BY_MERCHANT, {**asked, "merchant_id": merchant_id})
    else:
        found = await tx.execute(_SHOP_BY_PRODUCT, {**asked, "product_id": product_id})
    row = found.one_or_none()
    if row is None:
        return None
    return Shop(
        merchant_id=MerchantId(row.merchant_id),
        platform=row.platform,
        sealed_key=row.sealed_key,
        previous_sealed_key=row.previous_sealed_key,
        previous_key_end_time=row.previous_key_end_time,
        first_time=row.first_time,
        body_time=row.body_time,
    )
