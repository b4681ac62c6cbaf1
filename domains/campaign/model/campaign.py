"""A campaign, and how it comes to stand where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from domains.campaign.errors import (
    BudgetMissingError,
    CampaignOverError,
    TransitionInvalidError,
)
from domains.campaign.model.budget import BudgetItem
from domains.campaign.model.rule import Asset, RewardUnits, Rule
from vocabulary.ids import CampaignId, MerchantId


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """An earlier rule of a campaign, and from when on it was for what happened."""

    version: int
    rule: Rule
    start_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One promise of a merchant. `units` is in what it pays, fixed when it was published.

    `version_time` is from when on what happens is held against its rule and its budget;
    `earlier` are the versions for what happened before, as far as they were read, the oldest
    first, and `retired` the items of their budgets.
    """

    campaign_id: CampaignId
    merchant_id: MerchantId
    name: str
    state: CampaignState
    priority: int
    rule: Rule
    rule_version: int
    units: RewardUnits
    budget: Sequence[BudgetItem]
    unlimited: frozenset[Asset]
    start_time: datetime | None
    expire_time: datetime | None
    publish_time: datetime | None
    create_time: datetime
    update_time: datetime
    version_time: datetime
    earlier: Sequence[RuleVersion] = ()
    retired: Sequence[BudgetItem] = ()

    def __post_init__(self) -> None:
        pays = self.state in {CampaignState.ACTIVE, CampaignState.PAUSED}
        assert not pays or self.publish_time is not None, self

    @property
    def chain_depth(self) -> int:
        """How far up the referral chain any of its versions pays."""
        rules = (self.rule, *(each.rule for each in self.earlier))
        return max(rule.chain_depth for rule in rules)

    def as_of(self, event_time: datetime) -> Self:
        """The campaign with the rule and the budget that are for what happened at a time."""
        if event_time >= self.version_time or not self.earlier:
            return self
        begun = [each for each in self.earlier if each.start_time <= event_time]
        return self.of_version(begun[-1] if begun else self.earlier[0])

    def of_version(self, earlier: RuleVersion) -> Self:
        """The campaign with the rule and the budget of an earlier version."""
        return replace(
            self,
            rule=earlier.rule,
            rule_version=earlier.version,
            version_time=earlier.start_time,
            budget=tuple(
                item for item in (*self.retired, *self.budget) if item.is_of(earlier.version)
            ),
            earlier=(),
            retired=(),
        )

    def is_over(self, now: datetime) -> bool:
        """Whether nothing that happens from now on earns."""
        return self.expire_time is not None and self.expire_time <= now

    def require_budgets(self) -> None:
        """Raises BudgetMissingError if an asset of the rule has no budget and is not unlimited."""
        covered = {item.asset for item in self.budget} | self.unlimited
        for asset in sorted(self.rule.assets):
            if asset not in covered:
                raise BudgetMissingError(asset)

    def publish(self, now: datetime) -> Self:
        """Begins to pay.

        Raises:
            TransitionInvalidError: it is no draft.
            BudgetMissingError: an asset of the rule has no budget and is not unlimited.
            CampaignOverError: it has expired.
        """
        self._require("publish", CampaignState.DRAFT)
        if self.is_over(now):
            assert self.expire_time is not None
            raise CampaignOverError(self.expire_time)
        self.require_budgets()
        return replace(self, state=CampaignState.ACTIVE, publish_time=now, update_time=now)

    def pause(self, now: datetime) -> Self:
        """Stops paying for a while.

        Raises:
            TransitionInvalidError: it is not active.
        """
        self._require("pause", CampaignState.ACTIVE)
        return replace(self, state=CampaignState.PAUSED, update_time=now)

    def resume(self, now: datetime) -> Self:
        """Pays again.

        Raises:
            TransitionInvalidError: it is not paused.
        """
        self._require("resume", CampaignState.PAUSED)
        return replace(self, state=CampaignState.ACTIVE, update_time=now)

    def archive(self, now: datetime) -> Self:
        """Ends for good.

        Raises:
            TransitionInvalidError: it is archived already.
        """
        self._require("archive", CampaignState.DRAFT, CampaignState.ACTIVE, CampaignState.PAUSED)
        return replace(self, state=CampaignState.ARCHIVED, update_time=now)

    def _require(self, action: str, *allowed: CampaignState) -> None:
        if self.state not in allowed:
            raise TransitionInvalidError(self.campaign_id, state=self.state, action=action)
