"""Merchants, for services that only ask whether there is one."""

from __future__ import annotations

from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class EveryMerchant:
    """Knows every merchant that it is asked for."""

    async def require(self, tx: Transaction, merchant_id: MerchantId) -> None:
        pass
