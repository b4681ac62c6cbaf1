"""How campaign says no."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from vocabulary.errors import DomainError, Kind, instant
from vocabulary.ids import CampaignId


class CampaignError(DomainError):
    domain: ClassVar[str] = "campaign"


class CampaignNotFoundError(CampaignError):
    reason = "CAMPAIGN_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, campaign_id: CampaignId) -> None:
        super().__init__(f"The merchant has no campaign {campaign_id}.", campaign_id=campaign_id)


class RateInvalidError(CampaignError):
    reason = "RATE_INVALID"
    kind = Kind.INVALID

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"The rate is not saved: {field} {problem}.", field=field, problem=problem)
        self.metadata["field"] = field


class RuleInvalidError(CampaignError):
    reason = "RULE_INVALID"
    kind = Kind.INVALID

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"The campaign is not saved: {path} {problem}.", field=path, problem=problem, path=path
        )
        self.path = path


class TransitionInvalidError(CampaignError):
    reason = "TRANSITION_INVALID"
    kind = Kind.NOT_NOW

    def __init__(self, campaign_id: CampaignId, *, state: str, action: str) -> None:
        super().__init__(
            f"Campaign {campaign_id} is {state}; it cannot {action} from there.",
            campaign_id=campaign_id,
            state=state,
            action=action,
        )


class StartFixedError(CampaignError):
    reason = "START_FIXED"
    kind = Kind.NOT_NOW

    def __init__(self, campaign_id: CampaignId, start_time: datetime | None) -> None:
        fixed = "its publishing" if start_time is None else instant(start_time)
        super().__init__(
            f"The campaign is published, and pays for what happened from {fixed} on; that stays.",
            field="campaign.start_time",
            problem=f"is {fixed} and stays so, since the campaign is published",
            campaign_id=campaign_id,
            start_time=fixed,
        )


class VersionsFullError(CampaignError):
    reason = "VERSIONS_FULL"
    kind = Kind.NOT_NOW

    def __init__(self, campaign_id: CampaignId, versions_max: int) -> None:
        super().__init__(
            f"Rule and budget have {versions_max} versions, which is all; create another campaign.",
            campaign_id=campaign_id,
            versions_max=versions_max,
        )


class RuleVersionNotFoundError(CampaignError):
    reason = "RULE_VERSION_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, campaign_id: CampaignId, rule_version: int) -> None:
        message = f"Campaign {campaign_id} has no version {rule_version}."
        super().__init__(message, campaign_id=campaign_id, rule_version=rule_version)


class BudgetMissingError(CampaignError):
    reason = "BUDGET_MISSING"
    kind = Kind.NOT_NOW

    def __init__(self, asset: str) -> None:
        super().__init__(
            f"The campaign pays {asset} without a limit; give it a budget item or "
            "declare the asset unlimited.",
            field="campaign.budget",
            problem=f"has no limit of {asset}, which is not declared unlimited either",
            asset=asset,
        )


class CampaignOverError(CampaignError):
    reason = "CAMPAIGN_OVER"
    kind = Kind.NOT_NOW

    def __init__(self, expire_time: datetime) -> None:
        expired = instant(expire_time)
        super().__init__(
            f"The campaign was over at {expired}, so nothing new would be paid; let it end later.",
            field="campaign.expire_time",
            problem=f"is {expired}, which has passed",
            expire_time=expired,
        )
