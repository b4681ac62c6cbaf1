"""Who a shop's customer is, read from the orders that name them."""

from __future__ import annotations

from sqlalchemy import text

from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId

CUSTOMER = """
    SELECT identity_group_id FROM shop_order
    WHERE merchant_id = :merchant_id AND customer_reference = :customer_reference
      AND link IN ('claim', 'client')
    ORDER BY purchase_id LIMIT 1
"""
"""The buyer of the first order of a customer whose buyer is known by more than a guess.

That is the one that was reported first: the ids of purchases grow with time. Nothing is kept of it
beside the orders, so nothing has to follow what becomes of them.
"""

_CUSTOMER = text(CUSTOMER)


class CustomerRepository:
    async def find(
        self, tx: Transaction, merchant_id: MerchantId, customer_reference: str
    ) -> IdentityGroupId | None:
        """The person whose account it is; None if that is not known."""
        found = await tx.execute(
            _CUSTOMER, {"merchant_id": merchant_id, "customer_reference": customer_reference}
        )
        identity_group_id = found.scalar_one_or_none()
        return None if identity_group_id is None else IdentityGroupId(identity_group_id)
