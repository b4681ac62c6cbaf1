"""The use cases of referral links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.referral.model import ReferralLink
from domains.referral.ports import Merchants
from domains.referral.repository import ReferralRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId


class ReferralService:
    def __init__(self, *, referrals: ReferralRepository, merchants: Merchants) -> None:
        self._referrals = referrals
        self._merchants = merchants

    async def chains_as_of(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        people: Sequence[tuple[IdentityGroupId, datetime]],
        depth_max: int,
    ) -> list[list[IdentityGroupId]]:
        """The people above each person, as the links stood at that person's time.

        Nearest first, `depth_max` at the most, in the order of `people`. Nobody is in a chain
        twice, nor in the chain above themselves. One statement.
        """
        assert depth_max > 0, depth_max
        return await self._referrals.chains_as_of(tx, merchant_id, people, depth_max)

    async def list_some(
        self, tx: Transaction, merchant_id: MerchantId, referral_link_ids: Sequence[ReferralLinkId]
    ) -> Sequence[ReferralLink]:
        """These links of a merchant, in no order. Ended ones included."""
        if not referral_link_ids:
            return []
        return await self._referrals.list_some(tx, merchant_id, referral_link_ids)

    async def list_links(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        referrer_group_id: IdentityGroupId,
        *,
        before: UUID | None,
        limit: int,
    ) -> Sequence[ReferralLink]:
        """Links to a referrer, most recently recorded first, from the one before `before`.

        Ended ones included.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        found = await self._referrals.list_of_referrer(
            tx, merchant_id, referrer_group_id, before=before, limit=limit
        )
        if not found:
            await self._merchants.require(tx, merchant_id)
        return found

    async def chain_as_of(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        identity_group_id: IdentityGroupId,
        *,
        time: datetime,
        depth_max: int,
    ) -> list[IdentityGroupId]:
        """The people above one person, nearest first, as the links stood then.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        [found] = await self.chains_as_of(tx, merchant_id, [(identity_group_id, time)], depth_max)
        if not found:
            await self._merchants.require(tx, merchant_id)
        return found
