"""Who a shop's customer is, read from the orders that name them."""

from __future__ import annotations

from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId

_CUSTOMER = sql_file(__file__, "find_customer.sql")


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
