"""The use cases of reversals: what was taken back, and what it had earned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domains.rewards.model import OrderLife, Posting, Reversal
from domains.rewards.model.event import wait_pause
from domains.rewards.repository import (
    EventRepository,
    LedgerRepository,
    ReversalRepository,
    RewardRepository,
)
from domains.rewards.repository.rewards import CancelledReward
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId, ReversalId


class ReversalsService:
    def __init__(
        self,
        *,
        events: EventRepository,
        reversals: ReversalRepository,
        rewards: RewardRepository,
        ledger: LedgerRepository,
    ) -> None:
        self._events = events
        self._reversals = reversals
        self._rewards = rewards
        self._ledger = ledger

    async def list_open(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: Reversal | None,
        now: datetime,
        limit: int,
    ) -> Sequence[Reversal]:
        """Up to `limit` reversals that nobody has dealt with, oldest first, after one of them."""
        return await self._reversals.list_open(tx, merchant_id, after=after, now=now, limit=limit)

    async def list_some(
        self, tx: Transaction, reversal_ids: Sequence[ReversalId]
    ) -> Sequence[Reversal]:
        """Those of these reversals that nobody has dealt with, oldest first."""
        return await self._reversals.list_some(tx, reversal_ids)

    async def list_with_earlier_open(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[OrderLife]
    ) -> set[OrderLife]:
        """Those of these lives whose order had an earlier one that is yet to be taken back."""
        if not lives:
            return set()
        return await self._reversals.list_with_earlier_open(tx, merchant_id, lives)

    async def set_aside(self, tx: Transaction, reversal: Reversal, *, now: datetime) -> None:
        """Lets a reversal wait that failed alone, each time longer. It never dies."""
        await self._reversals.set_aside(
            tx, reversal.reversal_id, retry_time=now + wait_pause(reversal.try_count)
        )

    async def take_back(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        reversals: Sequence[Reversal],
        *,
        first_sequence: int,
        now: datetime,
    ) -> Sequence[CancelledReward]:
        """Cancels the interactions and the rewards of orders that were taken back."""
        await self._events.cancel(tx, merchant_id, [each.life for each in reversals])
        cancelled = await self._rewards.cancel_for(tx, merchant_id, reversals)
        await self._reversals.mark_drained(tx, reversals, first_sequence=first_sequence, now=now)
        return cancelled

    async def post(self, tx: Transaction, postings: Sequence[Posting], *, now: datetime) -> None:
        """Writes transfers and the balances that follow from them."""
        await self._ledger.post(tx, postings, now=now)
