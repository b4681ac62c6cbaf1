"""How a campaign changes once it is made: a draft as a whole, a published one by versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from domains.campaign.errors import (
    BudgetMissingError,
    CampaignOverError,
    RuleInvalidError,
    StartFixedError,
    TransitionInvalidError,
    VersionsFullError,
)
from domains.campaign.model import Asset, BudgetItem, Campaign, CampaignState, FixedAmount
from domains.campaign.model.editing import EDITABLE, VERSIONS_MAX, denominated, edited
from domains.campaign.model.rule import RewardUnits
from tests.support.campaign import (
    ONE,
    PUBLISHED,
    UNITS,
    a_campaign,
    a_definition,
    a_rule,
    an_item,
)
from vocabulary.amounts import token_unit
from vocabulary.ids import BudgetItemId
from vocabulary.problems import Problems

LATER = PUBLISHED + timedelta(days=1)
COARSE = RewardUnits(
    token=token_unit(chain_id=1, token_address="0x" + "ab" * 20, decimals=2), peg_currency="EUR"
)
TWO_EUROS = a_rule(a_definition(amount=FixedAmount(amount=Decimal(2))))


def a_draft(**choices: Any) -> Campaign:
    return a_campaign(state=CampaignState.DRAFT, **choices)


def limited(*items: BudgetItem, state: CampaignState = CampaignState.ACTIVE) -> Campaign:
    """A campaign whose tokens are limited by these items."""
    soft = frozenset(Asset) - {Asset.TOKEN}
    return a_campaign(budget=items or (an_item(),), unlimited=soft, state=state)


def edit(campaign: Campaign, units: RewardUnits = UNITS, **changes: Any) -> Campaign:
    return edited(campaign, changes, units, LATER, Problems())


def anew(item: BudgetItem, **changes: Any) -> BudgetItem:
    """An item as a new budget brings it: with an id of its own."""
    return replace(item, budget_item_id=BudgetItemId(uuid4()), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "spring"},
        {"priority": 7},
        {"expire_time": LATER + timedelta(days=30)},
        {"expire_time": None},
    ],
    ids="-".join,
)
def test_what_pays_nothing_else_makes_no_version(changes: dict[str, Any]) -> None:
    """A campaign would run out of versions because its name was mended."""
    before = limited()

    after = edit(before, **changes)

    assert after == replace(before, **changes, update_time=LATER)


def test_a_new_rule_is_for_what_happens_from_now_on() -> None:
    """Orders of yesterday would be paid by a rule that nobody had promised then."""
    before = limited()

    after = edit(before, rule=TWO_EUROS)

    assert (after.rule, after.rule_version, after.version_time) == (TWO_EUROS, 2, LATER)
    assert after.as_of(LATER).rule == TWO_EUROS
    assert after.as_of(LATER - timedelta(microseconds=1)).rule == before.rule
    assert after.as_of(PUBLISHED - timedelta(days=1)).rule == before.rule


def test_the_same_rule_and_budget_are_no_new_version() -> None:
    """A form that is saved as it was opened would use versions up, and move limits."""
    before = limited()

    after = edit(before, rule=before.rule, budget=tuple(anew(item) for item in before.budget))

    assert after == replace(before, update_time=LATER)


def test_an_item_that_goes_on_keeps_what_was_used_of_it() -> None:
    """Raising a limit would give all that was paid a second budget."""
    before = limited(an_item(label="a"), an_item(label="b"))
    [a, b] = before.budget

    after = edit(
        before, budget=(anew(a, limit=50 * ONE), anew(b, label="c"), anew(b, limit=300 * ONE))
    )

    kept, new, raised = after.budget
    assert (kept.budget_item_id, kept.limit, kept.limit_ever) == (
        a.budget_item_id,
        50 * ONE,
        100 * ONE,
    )
    assert (raised.budget_item_id, raised.limit_ever) == (b.budget_item_id, 300 * ONE)
    assert (new.label, new.first_version) == ("c", 2)
    assert new.budget_item_id not in {a.budget_item_id, b.budget_item_id}
    assert after.retired == ()


def test_an_item_that_is_left_out_is_of_the_versions_before() -> None:
    """What was taken back later would be given to a limit that is not there."""
    before = limited(an_item(label="a"), an_item(label="b"))

    after = edit(before, budget=before.budget[:1])

    [retired] = after.retired
    assert (retired.label, retired.last_version) == ("b", 1)
    assert [item.label for item in after.budget] == ["a"]


def test_versions_come_to_an_end() -> None:
    """Deciding an order would read more and more versions."""
    campaign = replace(limited(), rule_version=VERSIONS_MAX)

    assert edit(campaign, name="spring").rule_version == VERSIONS_MAX
    with pytest.raises(VersionsFullError):
        edit(campaign, rule=TWO_EUROS)


@pytest.mark.parametrize("field", sorted(EDITABLE))
def test_an_archived_campaign_changes_no_more(field: str) -> None:
    """What has ended would be another thing than what was promised."""
    archived = a_campaign(state=CampaignState.ARCHIVED)

    with pytest.raises(TransitionInvalidError):
        edit(archived, **{field: getattr(archived, field)})


def test_the_start_of_a_published_campaign_is_fixed() -> None:
    """Orders before a new start would have been paid, or those after it not."""
    started = a_campaign(start_time=PUBLISHED)

    with pytest.raises(StartFixedError):
        edit(started, start_time=LATER)
    assert edit(started, start_time=PUBLISHED).start_time == PUBLISHED
    assert edit(a_draft(start_time=PUBLISHED), start_time=LATER).start_time == LATER


def test_an_end_that_has_passed_is_no_end() -> None:
    """Somebody who mistypes a year would end the campaign, with no way back."""
    with pytest.raises(CampaignOverError):
        edit(a_campaign(), expire_time=LATER)
    over = a_campaign(expire_time=LATER)
    # Of one that is over, everything else may still be mended.
    assert edit(over, name="spring").name == "spring"


def test_what_a_published_campaign_pays_is_limited_or_said_not_to_be() -> None:
    """A campaign would pay without a limit because a line was left out."""
    with pytest.raises(BudgetMissingError):
        edit(limited(), budget=())
    assert edit(limited(state=CampaignState.DRAFT), budget=()).budget == ()


@pytest.mark.parametrize("state", [CampaignState.DRAFT, CampaignState.ACTIVE])
def test_all_that_is_wrong_is_said_at_once(state: CampaignState) -> None:
    """Whoever writes a campaign would mend one line a try."""
    problems = Problems()
    campaign = a_campaign(state=state, start_time=PUBLISHED)

    with pytest.raises(RuleInvalidError) as refused:
        edited(
            campaign,
            {"budget": (an_item(),), "expire_time": PUBLISHED},
            UNITS,
            LATER,
            problems,
        )

    fields = [field for field, _ in refused.value.violations]
    assert fields == ["campaign.budget.unlimited_assets", "campaign.expire_time"]


def test_a_draft_is_in_what_its_merchant_pays_now() -> None:
    """A merchant that changed its token would publish promises in the old one."""
    draft = limited(an_item(1_500_000), state=CampaignState.DRAFT)

    after = edit(draft, COARSE, name="spring")

    assert after.units == COARSE
    [item] = after.budget
    assert (item.unit, item.limit) == (COARSE.token, 150)
    assert edit(limited(an_item(1_500_000)), COARSE, name="spring").units == UNITS


def test_an_amount_that_the_new_token_cannot_pay_is_named() -> None:
    """A budget would be rounded, and its owner not told."""
    draft = limited(an_item(1), state=CampaignState.DRAFT)
    problems = Problems()

    denominated(draft, COARSE, problems)

    with pytest.raises(RuleInvalidError) as refused:
        problems.refuse()
    assert [field for field, _ in refused.value.violations] == ["campaign.budget.items[0].amount"]
    # What is replaced need not be payable.
    [item] = edit(draft, COARSE, budget=(an_item(100, label="new"),)).budget
    assert item.label == "new"
