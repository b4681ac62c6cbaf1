"""How a campaign changes once it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from domains.campaign.errors import (
    CampaignOverError,
    RuleInvalidError,
    StartFixedError,
    TransitionInvalidError,
    VersionsFullError,
)
from domains.campaign.model.budget import BudgetItem
from domains.campaign.model.campaign import Campaign, CampaignState, RuleVersion
from domains.campaign.model.checking import check_budget, check_rule, to_base_units
from domains.campaign.model.rule import RewardUnits
from vocabulary.problems import Problems

VERSIONS_MAX = 100
"""How many versions of its rule and budget a campaign has at the most."""

EDITABLE = frozenset(
    {"name", "priority", "rule", "budget", "unlimited", "start_time", "expire_time"}
)
"""The fields that an edit may name."""


def checked(campaign: Campaign, problems: Problems) -> Campaign:
    """The campaign as it is saved. Adds why its rule or its budget could never do what it says."""
    rule = check_rule(campaign.rule, campaign.units, problems)
    check_budget(campaign.budget, problems)
    for asset in sorted({item.asset for item in campaign.budget} & campaign.unlimited):
        problems.add(
            RuleInvalidError(
                "campaign.budget.unlimited_assets",
                f"names {asset}, which has a budget item as well; leave out one of the two",
            )
        )
    start, expiry = campaign.start_time, campaign.expire_time
    if start is not None and expiry is not None and expiry <= start:
        problems.add(RuleInvalidError("campaign.expire_time", "must be after the start"))
    return replace(campaign, rule=rule)


def edited(
    campaign: Campaign,
    changes: Mapping[str, Any],
    units: RewardUnits,
    now: datetime,
    problems: Problems,
) -> Campaign:
    """The campaign with new values of some of its fields, in what its merchant pays now.

    The items of a new budget are of ids of their own. In a published campaign they take over
    those that they go on with.

    Raises:
        TransitionInvalidError: the campaign is archived.
        StartFixedError: it is published, and the start is another one.
        CampaignOverError: it is published, and the new expiry has passed.
        RuleInvalidError: its rule or its budget could never do what it says.
        BudgetMissingError: it is published, and an asset has no budget and is not unlimited.
        VersionsFullError: its rule or its budget has changed too often.
    """
    assert changes.keys() <= EDITABLE, changes
    if campaign.state is CampaignState.ARCHIVED:
        raise TransitionInvalidError(campaign.campaign_id, state=campaign.state, action="change")
    if campaign.state is CampaignState.DRAFT:
        # What is replaced is not denominated anew: the new token may not be able to pay it.
        before = replace(campaign, budget=()) if "budget" in changes else campaign
        after = replace(denominated(before, units, problems), **changes, update_time=now)
        draft = checked(after, problems)
        problems.refuse()
        return draft
    if changes.get("start_time", campaign.start_time) != campaign.start_time:
        raise StartFixedError(campaign.campaign_id, campaign.start_time)
    after = checked(replace(campaign, **changes, update_time=now), problems)
    problems.refuse()
    if after.expire_time != campaign.expire_time and after.is_over(now):
        assert after.expire_time is not None
        raise CampaignOverError(after.expire_time)
    after.require_budgets()
    return _next_version(campaign, after, now)


def denominated(campaign: Campaign, units: RewardUnits, problems: Problems) -> Campaign:
    """A draft in what its merchant pays now, with the amounts that it was written with.

    Adds where an amount has more decimals than the new unit.
    """
    assert campaign.state is CampaignState.DRAFT, campaign
    if units == campaign.units:
        return campaign
    budget = []
    for index, item in enumerate(campaign.budget):
        unit = units.of(item.asset)
        amount = item.unit.to_amount(item.limit)
        limit = item.limit
        with problems.collecting():
            limit = to_base_units(amount, unit, f"campaign.budget.items[{index}].amount")
        budget.append(replace(item, unit=unit, limit=limit))
    return replace(campaign, units=units, budget=tuple(budget))


def _next_version(before: Campaign, after: Campaign, now: datetime) -> Campaign:
    """What changed of rule and budget as a new version; without one if nothing did."""
    version = before.rule_version + 1
    budget = _carried_on(before.budget, after.budget, version)
    is_same_budget = [_terms(item) for item in budget] == [_terms(item) for item in before.budget]
    if after.rule == before.rule and is_same_budget:
        return replace(after, budget=before.budget)
    if version > VERSIONS_MAX:
        raise VersionsFullError(before.campaign_id, VERSIONS_MAX)
    kept = {item.budget_item_id for item in budget}
    retired = [
        replace(item, last_version=before.rule_version)
        for item in before.budget
        if item.budget_item_id not in kept
    ]
    return replace(
        after,
        rule_version=version,
        version_time=now,
        budget=budget,
        retired=(*before.retired, *retired),
        earlier=(
            *before.earlier,
            RuleVersion(
                version=before.rule_version, rule=before.rule, start_time=before.version_time
            ),
        ),
    )


def _carried_on(
    before: Sequence[BudgetItem], after: Sequence[BudgetItem], version: int
) -> tuple[BudgetItem, ...]:
    """New items, those that go on with an old one under the old one's id."""
    known = {_identity(item): item for item in before}
    carried = []
    for item in after:
        old = known.get(_identity(item))
        if old is None:
            carried.append(replace(item, first_version=version))
        else:
            carried.append(
                replace(old, limit=item.limit, limit_ever=max(old.limit_ever, item.limit))
            )
    return tuple(carried)


def _identity(item: BudgetItem) -> tuple[object, ...]:
    return item.label, item.asset, item.unit, item.window


def _terms(item: BudgetItem) -> tuple[object, ...]:
    return item.budget_item_id, item.limit
