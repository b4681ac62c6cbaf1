"""Tells campaigns in what merchants pay: the two domains do not know each other."""

from __future__ import annotations

from domains.business.service import BusinessService
from domains.campaign.model import RewardUnits
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class MerchantUnits:
    """In what merchants pay, as campaign asks for it."""

    def __init__(self, *, business: BusinessService) -> None:
        self._business = business

    async def require(self, tx: Transaction, merchant_id: MerchantId) -> None:
        await self._business.require(tx, merchant_id)

    async def units_of(self, tx: Transaction, merchant_id: MerchantId) -> RewardUnits | None:
        found = await self._business.find_shared(tx, merchant_id)
        if found is None:
            return None
        return RewardUnits(
            token=found.reward_token.unit, peg_currency=found.reward_token.peg_currency
        )
