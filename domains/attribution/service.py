"""The use cases of arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from domains.attribution.model import Attribution, Credit, CreditQuery, Touchpoint, TouchQuery
from domains.attribution.ports import Merchants
from domains.attribution.repository import TouchpointRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId


class AttributionService:
    def __init__(self, *, touchpoints: TouchpointRepository, merchants: Merchants) -> None:
        self._touchpoints = touchpoints
        self._merchants = merchants

    async def list_touchpoints(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        identity_group_id: IdentityGroupId | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Touchpoint]:
        """Arrivals at a merchant, most recently recorded first, from the one before `before`.

        With `identity_group_id`, only that person's.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        found = await self._touchpoints.list_newest(
            tx, merchant_id, identity_group_id=identity_group_id, before=before, limit=limit
        )
        if not found:
            await self._merchants.require(tx, merchant_id)
        return found

    async def explain_credit(self, tx: Transaction, query: CreditQuery) -> Credit:
        """Which arrival made a referrer be credited, or nearly did."""
        return await self._touchpoints.explain_credit(tx, query)

    async def touches_as_of(
        self, tx: Transaction, queries: Sequence[TouchQuery], look_back: timedelta
    ) -> list[Attribution]:
        """What brought each person, in the order of the queries. One statement.

        An arrival counts from its instant on, and no longer once it is `look_back` old.
        """
        return await self._touchpoints.touches_as_of(tx, queries, look_back)
