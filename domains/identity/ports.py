"""What identity asks of the outside world."""

from __future__ import annotations

from typing import Protocol

from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId


class Customers(Protocol):
    """Whoever knows the orders of shops, and by them whose a customer account is."""

    async def find_customer(
        self, tx: Transaction, merchant_id: MerchantId, customer_reference: str
    ) -> IdentityGroupId | None:
        """The person whose account a shop's customer is; None if that is not known."""
