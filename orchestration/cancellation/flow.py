"""Takes rewards back and gives budgets what they had spent on them. A step of other flows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from domains.campaign.service import CampaignService
from domains.rewards.model import (
    Account,
    AccountKind,
    Posting,
    Reversal,
    TransferKind,
)
from domains.rewards.service import ReversalsService
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId, TransferId


class CancellationOrchestrator:
    """Deals with orders that were taken back.

    The caller's transaction is the writer of the merchant's lane; nobody else writes the
    merchant's rewards, budget windows or accounts meanwhile.
    """

    def __init__(
        self,
        *,
        reversals: ReversalsService,
        campaigns: CampaignService,
        new_id: Callable[[], UUID],
    ) -> None:
        self._reversals = reversals
        self._campaigns = campaigns
        self._new_id = new_id

    async def take_back_in(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        reversals: Sequence[Reversal],
        *,
        first_sequence: int,
        now: datetime,
    ) -> None:
        """Deals with reversals.

        What was not decided yet is cancelled. What was granted leaves the people's pending
        accounts and returns to the campaign, and to the budget windows that were charged.
        """
        cancelled = await self._reversals.take_back(
            tx, merchant_id, reversals, first_sequence=first_sequence, now=now
        )
        await self._campaigns.release(
            tx, [(each.reward_id, each.reversal_id) for each in cancelled]
        )
        await self._reversals.post(
            tx,
            [
                Posting(
                    transfer_id=TransferId(self._new_id()),
                    kind=TransferKind.REFUND,
                    cause_id=each.reversal_id,
                    reward_id=each.reward_id,
                    debit=Account(
                        merchant_id=merchant_id,
                        kind=AccountKind.RECIPIENT_PENDING,
                        owner=each.identity_group_id,
                        unit=each.unit,
                    ),
                    credit=Account(
                        merchant_id=merchant_id,
                        kind=AccountKind.CAMPAIGN_GRANTED,
                        owner=each.campaign_id,
                        unit=each.unit,
                    ),
                    base_units=each.lost,
                )
                for each in cancelled
                if each.lost
            ],
            now=now,
        )
