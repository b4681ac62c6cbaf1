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
class Campaign:
    """One promise of a merchant. `units` is in what it pays, fixed when it was made."""

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

    def __post_init__(self) -> None:
        pays = self.state in {CampaignState.ACTIVE, CampaignState.PAUSED}
        assert not pays or self.publish_time is not None, self

    def publish(self, now: datetime) -> Self:
        """Begins to pay.

        Raises:
            TransitionInvalidError: it is no draft.
            BudgetMissingError: an asset of the rule has no budget and is not unlimited.
            CampaignOverError: it has expired.
        """
        self._require("publish", CampaignState.DRAFT)
        if self.expire_time is not None and self.expire_time <= now:
            raise CampaignOverError(self.campaign_id, self.expire_time)
        covered = {item.asset for item in self.budget} | self.unlimited
        for asset in sorted(self.rule.assets):
            if asset not in covered:
                raise BudgetMissingError(self.campaign_id, asset)
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
