"""The use cases of campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.campaign.errors import (
    CampaignNotFoundError,
    RuleVersionNotFoundError,
    TransitionInvalidError,
)
from domains.campaign.model import (
    BudgetItem,
    BudgetState,
    BudgetWindow,
    Campaign,
    CampaignState,
    Charge,
    Refused,
    RewardUnits,
    WindowKey,
)
from domains.campaign.model.editing import checked, denominated, edited
from domains.campaign.ports import RewardUnitSource
from domains.campaign.repository import BudgetRepository, CampaignRepository, Consumption
from infrastructure.database.transaction import Transaction
from vocabulary.ids import CampaignId, MerchantId, RewardId
from vocabulary.problems import Problems
from vocabulary.refusals import of_merchant

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
        units = of_merchant(await self._units.units_of(tx, merchant_id), merchant_id)
        problems = Problems()
        draft = checked(make(units, problems), problems)
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
        return _known(await self._campaigns.find(tx, merchant_id, campaign_id), campaign_id)

    async def get_version(
        self, tx: Transaction, merchant_id: MerchantId, campaign_id: CampaignId, version: int
    ) -> Campaign:
        """One campaign of the merchant, with the rule and the budget of a version.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
            RuleVersionNotFoundError: it has no such version.
        """
        found = await self.get(tx, merchant_id, campaign_id)
        if version == found.rule_version:
            return found
        earlier = await self._campaigns.find_version(tx, campaign_id, version)
        if earlier is None:
            raise RuleVersionNotFoundError(campaign_id, version)
        return found.of_version(earlier)

    async def has_published(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        """Whether one of the merchant's campaigns was ever published."""
        return await self._campaigns.has_published(tx, merchant_id)

    async def update(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        campaign_id: CampaignId,
        changes_in: Callable[[RewardUnits, Problems], Mapping[str, Any]],
        *,
        validate_only: bool,
        clock: Callable[[], datetime],
    ) -> Campaign:
        """Changes a campaign and, unless it is a rehearsal, writes it.

        `changes_in` makes the new values of its fields, by their names, in a merchant's units, and
        adds to the problems what it cannot read.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
            TransitionInvalidError, StartFixedError, CampaignOverError, RuleInvalidError,
            BudgetMissingError, VersionsFullError: see `edited`.
        """
        before, units = await self._lock(tx, merchant_id, campaign_id)
        # Not before: a version is for what happens from when nothing is decided by another.
        now = clock()
        problems = Problems()
        after = edited(before, changes_in(units, problems), units, now, problems)
        if validate_only:
            return after
        if before.state is CampaignState.DRAFT:
            await self._campaigns.set_draft(tx, after)
        else:
            await self._campaigns.set_published(tx, before, after)
        return after

    async def delete(
        self, tx: Transaction, merchant_id: MerchantId, campaign_id: CampaignId
    ) -> None:
        """Deletes a draft.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
            TransitionInvalidError: it is no draft.
        """
        found = await self._get_for_update(tx, merchant_id, campaign_id)
        if found.state is not CampaignState.DRAFT:
            raise TransitionInvalidError(campaign_id, state=found.state, action="be deleted")
        await self._campaigns.delete(tx, campaign_id)

    async def publish(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        campaign_id: CampaignId,
        *,
        clock: Callable[[], datetime],
    ) -> Campaign:
        """Publishes a draft, in what its merchant pays now.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
            TransitionInvalidError, BudgetMissingError, CampaignOverError: see `Campaign.publish`.
            RuleInvalidError: an amount cannot be paid in what the merchant pays now.
        """
        before, units = await self._lock(tx, merchant_id, campaign_id)
        published = before.publish(clock())
        if units != before.units:
            problems = Problems()
            draft = checked(denominated(before, units, problems), problems)
            problems.refuse()
            await self._campaigns.set_draft(tx, draft)
            published = draft.publish(published.update_time)
        await self._campaigns.set_state(tx, published)
        return published

    async def _lock(
        self, tx: Transaction, merchant_id: MerchantId, campaign_id: CampaignId
    ) -> tuple[Campaign, RewardUnits]:
        """Locks, downwards: the merchant, shared; the campaign."""
        units = await self._units.units_of(tx, merchant_id)
        found = await self._get_for_update(tx, merchant_id, campaign_id)
        assert units is not None, "a campaign has its merchant"
        return found, units

    async def _get_for_update(
        self, tx: Transaction, merchant_id: MerchantId, campaign_id: CampaignId
    ) -> Campaign:
        found = await self._campaigns.find(tx, merchant_id, campaign_id, for_update=True)
        return _known(found, campaign_id)

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: tuple[int, UUID] | None,
        limit: int,
    ) -> Sequence[Campaign]:
        """In the order in which campaigns are evaluated.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        found = await self._campaigns.list_of_merchant(tx, merchant_id, after=after, limit=limit)
        if not found:
            await self._units.require(tx, merchant_id)
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
        """Pauses, resumes or archives a campaign: whatever `change` does.

        Raises:
            CampaignNotFoundError: there is none with this id, or it is somebody else's.
            TransitionInvalidError: the change is not for its state.
        """
        before = await self._get_for_update(tx, merchant_id, campaign_id)
        after = change(before, now)
        await self._campaigns.set_state(tx, after)
        return after

    async def list_paying(
        self, tx: Transaction, merchant_id: MerchantId, *, first_time: datetime
    ) -> Sequence[Campaign]:
        """The campaigns that events from a time on are held against, locked against changes."""
        campaigns = await self._campaigns.list_paying(tx, merchant_id)
        return await self._campaigns.with_earlier(tx, campaigns, first_time=first_time)

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
        items: dict[UUID, BudgetItem] = {
            item.budget_item_id: item for item in (*found.budget, *found.retired)
        }
        return await self._budgets.list_windows(
            tx,
            campaign_id,
            items,
            after=after,
            limit=limit,
        )


def _known(found: Campaign | None, campaign_id: CampaignId) -> Campaign:
    if found is None:
        raise CampaignNotFoundError(campaign_id)
    return found
