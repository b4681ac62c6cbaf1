"""The use cases of campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domains.campaign.errors import CampaignNotFoundError, RuleInvalidError
from domains.campaign.model import (
    BudgetItem,
    BudgetState,
    BudgetWindow,
    Campaign,
    Charge,
    Refused,
    RewardUnits,
    WindowKey,
)
from domains.campaign.model.checking import check_budget, check_rule
from domains.campaign.ports import RewardUnitSource
from domains.campaign.repository import BudgetRepository, CampaignRepository, Consumption
from infrastructure.database.transaction import Transaction
from vocabulary.ids import CampaignId, MerchantId, RewardId
from vocabulary.problems import Problems
from vocabulary.refusals import MerchantNotFoundError

__all__ = ["CampaignService", "Change", "Consumption"]

Change = Callable[[Campaign, datetime], Campaign]


class CampaignService:
    def __init__(
        self,
        *,
        campaigns: CampaignRepository,
        budgets: BudgetRepository,
        units: RewardUnitSource,
    ) -> None:
        self._campaigns = campaigns
        self._budgets = budgets
        self._units = units

    async def create(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        make: Callable[[RewardUnits, Problems], Campaign],
        *,
        change: Change | None,
        validate_only: bool,
        now: datetime,
    ) -> Campaign:
        """Checks a draft and, unless it is a rehearsal, adds it.

        `make` makes the draft, knowing in what the merchant pays, and adds to the problems what
        it cannot read; `change` is what becomes of it before it is added.

        Raises:
            MerchantNotFoundError: there is no such merchant.
            RuleInvalidError: the rule or the budget could never do what it says; names all of it.
            TransitionInvalidError, BudgetMissingError, CampaignOverError: the change is not for
                the draft.
        """
        units = await self._units.units_of(tx, merchant_id)
        if units is None:
            raise MerchantNotFoundError(merchant_id)
        problems = Problems()
        draft = make(units, problems)
        draft = replace(draft, rule=check_rule(draft.rule, units, problems))
        check_budget(draft.budget, problems)
        if draft.start_time and draft.expire_time and draft.expire_time <= draft.start_time:
            problems.add(RuleInvalidError("campaign.expire_time", "must be after the start"))
        problems.refuse()
        new = draft if change is None else change(draft, now)
        if not validate_only:
            await self._campaigns.add(tx, new)
        return new

    async def get(
        self, tx: Transaction, merchant_id: MerchantId, campaign_id: CampaignId
    ) -> Campaign:
        """One campaign of the merchant.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
        """
        found = await self._campaigns.find(tx, merchant_id, campaign_id)
        if found is None:
            raise CampaignNotFoundError(campaign_id)
        return found

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: tuple[int, CampaignId] | None,
        limit: int,
    ) -> Sequence[Campaign]:
        """In the order in which campaigns are evaluated.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        found = await self._campaigns.list_of_merchant(tx, merchant_id, after=after, limit=limit)
        if not found and await self._units.units_of(tx, merchant_id) is None:
            raise MerchantNotFoundError(merchant_id)
        return found

    async def change_state(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        campaign_id: CampaignId,
        change: Change,
        *,
        now: datetime,
    ) -> Campaign:
        """Publishes, pauses, resumes or archives a campaign: whatever `change` does.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
            TransitionInvalidError, BudgetMissingError, CampaignOverError: the change is not for
                its state.
        """
        before = await self._campaigns.find(tx, merchant_id, campaign_id, for_update=True)
        if before is None:
            raise CampaignNotFoundError(campaign_id)
        after = change(before, now)
        await self._campaigns.set_state(tx, after)
        return after

    async def list_paying(self, tx: Transaction, merchant_id: MerchantId) -> Sequence[Campaign]:
        """The campaigns that events are held against, locked against a change of state."""
        return await self._campaigns.list_paying(tx, merchant_id)

    async def lock_windows(self, tx: Transaction, windows: Iterable[WindowKey]) -> BudgetState:
        """Locks windows and returns what is used of them."""
        return await self._budgets.lock(tx, windows)

    async def charge(
        self,
        tx: Transaction,
        *,
        charges: Iterable[Charge],
        refusals: Iterable[Refused],
        consumptions: Iterable[Consumption],
        ends: Mapping[WindowKey, datetime],
    ) -> None:
        """Charges windows that this transaction has locked, and says for which rewards.

        `ends` says when each window ends.
        """
        await self._budgets.charge(tx, charges, refusals, ends=ends)
        await self._budgets.add_consumptions(tx, consumptions)

    async def release(self, tx: Transaction, rewards: Sequence[tuple[RewardId, UUID]]) -> None:
        """Gives back all that rewards took, each with the id of what caused it."""
        if rewards:
            await self._budgets.release(tx, rewards)

    async def list_windows(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        campaign_id: CampaignId,
        *,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[BudgetWindow]:
        """What each window was asked for and gave, oldest first.

        Raises:
            CampaignNotFoundError: there is no such campaign, or it is somebody else's.
        """
        found = await self.get(tx, merchant_id, campaign_id)
        items: dict[UUID, BudgetItem] = {item.budget_item_id: item for item in found.budget}
        return await self._budgets.list_windows(
            tx,
            campaign_id,
            items,
            after=after,
            limit=limit,
        )
