"""What campaign asks of the outside world."""

from __future__ import annotations

from typing import Protocol

from domains.campaign.model import RewardUnits
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class RewardUnitSource(Protocol):
    """Whoever knows in what merchants pay."""

    async def units_of(self, tx: Transaction, merchant_id: MerchantId) -> RewardUnits | None:
        """In what the merchant's assets are counted; None if there is no such merchant.

        It stays so until the transaction ends.
        """

    async def require(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Ends the call with MerchantNotFoundError if there is no such merchant. Locks nothing."""
