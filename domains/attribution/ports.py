"""What attribution asks of the outside world."""

from __future__ import annotations

from typing import Protocol

from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class Merchants(Protocol):
    """Whoever knows which merchants there are."""

    async def exists(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        """Whether there is such a merchant."""
