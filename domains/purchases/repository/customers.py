"""Who a shop's customer is, read from the orders that name them."""

from __future__ import annotations

from sqlalchemy import text

from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId

_CUSTOMER_OF = """
    SELECT COALESCE(claim_group_id, hint_group_id) AS identity_group_id FROM shop_order
    WHERE merchant_id = :merchant_id AND customer_reference = :customer_reference
      AND COALESCE(claim_group_id, hint_group_id) IS NOT NULL {also}
    ORDER BY first_report_time, order_reference LIMIT 1
"""
"""Who the first reported order of a customer shows to be its buyer, by more than a guess.

Evidence is asked, not the buyer: while a worker decides an order it has a buyer that may still be
undone, and what is heard after a decision is as true of the customer as what came before. Nothing
is kept of it beside the orders, so nothing has to follow what becomes of them.
"""

KNOWN_CUSTOMER = _CUSTOMER_OF.format(
    also="""
      AND first_report_time <= CASE
            WHEN CAST(:receive_time AS timestamptz) < CAST(:now AS timestamptz)
                THEN CAST(:receive_time AS timestamptz)
            ELSE timestamptz 'infinity' END"""
)
"""The same as a report may know it that was received at `receive_time`.

One that is applied at a later try knows nothing of orders that were reported since: a fault of
ours would choose whose it is. Of one that is applied at once nothing is left out: the clocks of two
servers are not quite one.
"""

_CUSTOMER = text(_CUSTOMER_OF.format(also=""))


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
