"""The statement that reads whose a delivery is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

_SHOP_BY_MERCHANT = sql_file(__file__, "find_shop.sql", by="merchant")
_SHOP_BY_PRODUCT = sql_file(__file__, "find_shop.sql", by="product")


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
