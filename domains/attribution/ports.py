"""What attribution asks of the outside world."""

from __future__ import annotations

from typing import Protocol

from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class Merchants(Protocol):
    """Whoever knows which merchants there are."""

    async def require(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Ends the call with MerchantNotFoundError if there is no such merchant."""
