"""The life of a campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domains.campaign.errors import (
    BudgetMissingError,
    CampaignOverError,
    TransitionInvalidError,
)
from domains.campaign.model import Asset, Campaign, CampaignState
from tests.support.campaign import (
    PUBLISHED,
    a_campaign,
    a_definition,
    a_rule,
    an_item,
)
from vocabulary.errors import Kind

ACTIONS: dict[str, Callable[..., Campaign]] = {
    "publish": Campaign.publish,
    "pause": Campaign.pause,
    "resume": Campaign.resume,
    "archive": Campaign.archive,
}
# Everything that is allowed; what is not here is refused.
LEADS_TO = {
    (CampaignState.DRAFT, "publish"): CampaignState.ACTIVE,
    (CampaignState.DRAFT, "archive"): CampaignState.ARCHIVED,
    (CampaignState.ACTIVE, "pause"): CampaignState.PAUSED,
    (CampaignState.ACTIVE, "archive"): CampaignState.ARCHIVED,
    (CampaignState.PAUSED, "resume"): CampaignState.ACTIVE,
    (CampaignState.PAUSED, "archive"): CampaignState.ARCHIVED,
}
LATER = PUBLISHED + timedelta(days=1)


@pytest.mark.parametrize("state", CampaignState)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_campaign_goes_where_it_may_and_nowhere_else(state: CampaignState, action: str) -> None:
    """An ended campaign would pay again, or a draft without having been published."""
    before = a_campaign(state=state)
    leads_to = LEADS_TO.get((state, action))
    if leads_to is None:
        with pytest.raises(TransitionInvalidError) as refused:
            ACTIONS[action](before, LATER)
        assert refused.value.kind is Kind.NOT_NOW
        assert refused.value.metadata == {
            "campaign_id": str(before.campaign_id),
            "state": str(state),
            "action": action,
        }
    else:
        after = ACTIONS[action](before, LATER)
        assert (after.state, after.update_time) == (leads_to, LATER)


@pytest.mark.parametrize(
    ("assets", "budgeted", "unlimited", "missing"),
    [
        ({Asset.TOKEN}, {Asset.TOKEN}, set(), None),
        ({Asset.TOKEN}, set(), {Asset.TOKEN}, None),
        ({Asset.TOKEN, Asset.POINTS}, {Asset.TOKEN}, {Asset.POINTS}, None),
        ({Asset.TOKEN}, set(), set(), Asset.TOKEN),
        ({Asset.TOKEN}, {Asset.POINTS}, {Asset.DISCOUNT}, Asset.TOKEN),
        ({Asset.TOKEN, Asset.POINTS}, {Asset.TOKEN}, set(), Asset.POINTS),
    ],
)
def test_whatever_is_paid_has_a_limit_or_is_said_to_have_none(
    assets: set[Asset], budgeted: set[Asset], unlimited: set[Asset], missing: Asset | None
) -> None:
    """A merchant who forgot a limit would find out from the bill."""
    draft = a_campaign(
        a_rule(*(a_definition(asset=asset) for asset in sorted(assets))),
        state=CampaignState.DRAFT,
        budget=[an_item(label=asset, asset=asset) for asset in sorted(budgeted)],
        unlimited=frozenset(unlimited),
    )
    if missing is None:
        assert draft.publish(LATER).state is CampaignState.ACTIVE
    else:
        with pytest.raises(BudgetMissingError) as refused:
            draft.publish(LATER)
        assert refused.value.metadata["asset"] == missing


@pytest.mark.parametrize(
    ("elapsed", "is_over"),
    [(timedelta(microseconds=-1), True), (timedelta(0), True), (timedelta(microseconds=1), False)],
)
def test_what_is_over_is_not_published(elapsed: timedelta, is_over: bool) -> None:
    """The merchant would wait for rewards of a campaign that was over before it began."""
    draft = a_campaign(state=CampaignState.DRAFT, expire_time=LATER + elapsed)
    if is_over:
        with pytest.raises(CampaignOverError) as refused:
            draft.publish(LATER)
        assert refused.value.metadata["expire_time"].endswith("Z")
    else:
        assert draft.publish(LATER).state is CampaignState.ACTIVE


@pytest.mark.parametrize("state", [CampaignState.ACTIVE, CampaignState.PAUSED])
def test_nothing_pays_that_was_never_published(state: CampaignState) -> None:
    """A mistake in the code would make a campaign that pays from no time on."""
    draft = a_campaign(state=CampaignState.DRAFT)
    with pytest.raises(AssertionError):
        replace(draft, state=state)


class CampaignLife(RuleBasedStateMachine):
    """Any order of actions, some of them not allowed."""

    @initialize()
    def begin(self) -> None:
        self.campaign = a_campaign(state=CampaignState.DRAFT)
        self.draft = self.campaign
        self.now = PUBLISHED
        self.published: object = None

    @rule(action=st.sampled_from(sorted(ACTIONS)), minutes=st.integers(min_value=0, max_value=99))
    def act(self, action: str, minutes: int) -> None:
        before = self.campaign
        self.now += timedelta(minutes=minutes)
        leads_to = LEADS_TO.get((before.state, action))
        try:
            self.campaign = ACTIONS[action](before, self.now)
        except TransitionInvalidError:
            assert leads_to is None
            return
        assert self.campaign.state is leads_to
        assert self.campaign.update_time == self.now
        if action == "publish":
            self.published = self.now

    @invariant()
    def only_its_state_and_times_ever_change(self) -> None:
        fixed = replace(
            self.campaign,
            state=self.draft.state,
            publish_time=self.draft.publish_time,
            update_time=self.draft.update_time,
        )
        assert fixed == self.draft
        assert self.campaign.publish_time == self.published


CampaignLife.TestCase.settings = settings(max_examples=60, stateful_step_count=12)
TestCampaignLife = CampaignLife.TestCase
TestCampaignLife.__doc__ = "After some actions a campaign would be where none of them leads."
