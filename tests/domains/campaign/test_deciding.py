"""What one campaign makes of one event."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from domains.campaign.model import (
    Asset,
    BudgetState,
    Campaign,
    CampaignState,
    Chaining,
    Decision,
    Grant,
    Operator,
    Outcome,
    Pair,
    PercentOf,
    RateMissingError,
    Recipient,
    RewardDefinition,
    Trigger,
    WindowKey,
    decide,
)
from domains.campaign.model.budget import ALL_TIME
from tests.support.campaign import (
    BUYER,
    ONE,
    ORDERED,
    PUBLISHED,
    RATE,
    TOKEN,
    a_campaign,
    a_definition,
    a_rule,
    all_of,
    an_item,
    asks,
    decided,
    some_facts,
)
from tests.support.rules import chained, fixed, percent
from vocabulary.amounts import SOFT_DECIMALS
from vocabulary.ids import IdentityGroupId

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
CHAIN = tuple(IdentityGroupId(uuid4()) for _ in range(3))


def paying(*definitions: RewardDefinition) -> Campaign:
    return a_campaign(a_rule(*definitions))


def paid(decision: Decision) -> list[tuple[IdentityGroupId, Recipient, int | None, int]]:
    return [(each.recipient, each.role, each.depth, each.base_units) for each in decision.grants]


@pytest.mark.parametrize(
    ("campaign", "event_time", "why"),
    [
        (a_campaign(state=CampaignState.DRAFT), ORDERED, "draft"),
        (a_campaign(state=CampaignState.PAUSED), ORDERED, "paused"),
        (a_campaign(state=CampaignState.ARCHIVED), ORDERED, "archived"),
        (a_campaign(), PUBLISHED - INSTANT, "before its start"),
        (a_campaign(), PUBLISHED, None),
        (a_campaign(start_time=ORDERED), ORDERED - INSTANT, "before its start"),
        (a_campaign(start_time=ORDERED), ORDERED, None),
        # A start before the publishing: what happened in between earns.
        (a_campaign(start_time=PUBLISHED - DAY), PUBLISHED - DAY, None),
        (a_campaign(start_time=PUBLISHED - DAY), PUBLISHED - DAY - INSTANT, "before its start"),
        (a_campaign(expire_time=ORDERED), ORDERED - INSTANT, None),
        (a_campaign(expire_time=ORDERED), ORDERED, "expired"),
        # Its state goes before its times.
        (a_campaign(state=CampaignState.PAUSED, expire_time=PUBLISHED), ORDERED, "paused"),
    ],
)
def test_a_campaign_pays_from_its_start_to_its_expiry_while_it_is_active(
    campaign: Campaign, event_time: datetime, why: str | None
) -> None:
    """An order at the minute of a change would be paid, or not, against the merchant's word."""
    decision = decided(campaign, event_time=event_time)

    if why is None:
        assert decision.outcome is Outcome.GRANTED
    else:
        assert decision.outcome is Outcome.NOT_ACTIVE
        assert decision.details == {"why": why}
        assert not decision.grants


def test_what_is_not_met_pays_nothing_and_says_why() -> None:
    """A merchant could not find out why nobody is paid."""
    when = all_of(asks("purchase.amount", Operator.GT, Decimal(100)))
    campaign = a_campaign(a_rule(when=when))

    decision = decided(campaign, context={"purchase": {"amount": Decimal("100.00")}})

    assert decision == Decision(
        campaign_id=campaign.campaign_id,
        rule_version=campaign.rule_version,
        outcome=Outcome.NOT_MATCHED,
        details={
            "failed": {
                "path": "conditions[0]",
                "logic": "all",
                "field": "purchase.amount",
                "operator": "gt",
                "expected": "100",
                "saw": "100.00",
            }
        },
    )
    more = decided(campaign, context={"purchase": {"amount": Decimal("100.01")}})
    assert more.outcome is Outcome.GRANTED


@pytest.mark.parametrize("to", [Recipient.USER, Recipient.REFEREE])
def test_the_buyer_is_paid_under_the_name_that_the_rule_gives(to: Recipient) -> None:
    """A reward would go to the one who brought the buyer, or be told as something else."""
    decision = decided(paying(a_definition(to=to)), chain=CHAIN)

    assert decision.grants == [
        Grant(
            definition_index=0,
            depth=None,
            recipient=BUYER,
            role=to,
            unit=TOKEN,
            base_units=ONE,
            description="thank you",
        )
    ]


def test_the_direct_referrer_gets_all_that_is_not_shared() -> None:
    """People further up would take from the one who brought the buyer."""
    decision = decided(paying(a_definition(to=Recipient.REFERRER)), chain=CHAIN)

    assert paid(decision) == [(CHAIN[0], Recipient.REFERRER, None, ONE)]


def test_a_chain_is_paid_nearest_first_and_the_buyer_as_referee() -> None:
    """Shares would reach the wrong people."""
    definition = a_definition(
        to=Recipient.REFERRER, amount=fixed("100"), chaining=chained("20", "50", depth_max=2)
    )

    assert paid(decided(paying(definition), chain=CHAIN)) == [
        (BUYER, Recipient.REFEREE, 0, 20 * ONE),
        (CHAIN[0], Recipient.REFERRER, 1, 40 * ONE),
        (CHAIN[1], Recipient.REFERRER, 2, 40 * ONE),
    ]


@pytest.mark.parametrize("chaining", [None, chained("20", "50")])
def test_without_a_referrer_the_others_are_paid_all_the_same(chaining: Chaining | None) -> None:
    """A buyer whom nobody brought would lose their own reward."""
    decision = decided(
        paying(
            a_definition(to=Recipient.REFERRER, chaining=chaining),
            a_definition(),
        )
    )

    assert decision.outcome is Outcome.GRANTED
    assert [each.definition_index for each in decision.grants] == [1]
    assert decision.details["errors"] == [
        "rewards[0]: nobody is credited with having brought this person"
    ]


def test_when_nothing_can_be_computed_there_is_nothing_to_pay() -> None:
    """An order without a reward would be told as one that the rule was not meant for."""
    decision = decided(
        paying(a_definition(to=Recipient.REFERRER), a_definition(amount=percent("1"))),
        amount="0.00001",
    )

    assert decision.outcome is Outcome.NOTHING_TO_PAY
    assert decision.details["errors"] == [
        "rewards[0]: nobody is credited with having brought this person",
        "rewards[1]: the amount is less than the smallest unit",
    ]
    assert not decision.grants
    assert not decision.charges


def test_a_part_of_an_event_without_an_order_is_no_failure() -> None:
    """An arrival that a rule for orders meets would never be decided."""
    decision = decided(paying(a_definition(amount=percent("5"))), amount=None)

    assert decision.details == {"errors": ["rewards[0]: a percentage needs a purchase"]}


@pytest.mark.parametrize(
    ("of", "subtotal", "base_units"),
    [
        (PercentOf.PURCHASE_AMOUNT, "80.00", 10 * ONE),
        (PercentOf.PURCHASE_SUBTOTAL, "80.00", 8 * ONE),
        (PercentOf.PURCHASE_SUBTOTAL, "0", None),
        (PercentOf.PURCHASE_SUBTOTAL, None, 10 * ONE),
    ],
)
def test_a_part_is_taken_of_the_total_or_of_the_lines(
    of: PercentOf, subtotal: str | None, base_units: int | None
) -> None:
    """People would be paid for shipping and taxes too, or nothing when a shop sends no lines."""
    decision = decided(paying(a_definition(amount=percent("10", of))), subtotal=subtotal)

    wanted = [] if base_units is None else [base_units]
    assert [each.base_units for each in decision.grants] == wanted


def test_assets_have_their_own_units() -> None:
    """Points would be paid as money."""
    decision = decided(paying(*(a_definition(asset=asset, amount=fixed("2.5")) for asset in Asset)))

    assert {each.unit.key for each in decision.grants} == {TOKEN.key, "discount", "points"}
    assert {each.base_units for each in decision.grants} == {25 * 10 ** (SOFT_DECIMALS - 1)}


def test_a_rate_is_applied_and_kept_once() -> None:
    """Nobody could check later how an amount came about."""
    decision = decided(
        paying(a_definition(amount=percent("10")), a_definition(amount=percent("20"))),
        currency="USD",
        rates={RATE.pair: RATE},
    )

    assert [each.base_units for each in decision.grants] == [9_250_000, 18_500_000]
    assert decision.details["rates"] == {
        "USD/EUR": {
            "rate": "0.925",
            "observe_time": RATE.observe_time.isoformat(),
            "source": "a feed",
        }
    }


def test_an_amount_without_its_rate_waits() -> None:
    """An order in another currency would be paid by a guess, or never."""
    with pytest.raises(RateMissingError) as missing:
        decided(paying(a_definition(), a_definition(amount=percent("10"))), currency="USD")

    assert missing.value.pair == Pair(base="USD", quote="EUR")


@pytest.mark.parametrize(
    ("campaign", "outcome"),
    [
        (paying(a_definition()), Outcome.GRANTED),
        (
            a_campaign(
                a_rule(
                    a_definition(amount=percent("10")),
                    when=all_of(asks("purchase.amount", Operator.EXISTS)),
                )
            ),
            Outcome.NOT_MATCHED,
        ),
        (
            a_campaign(a_rule(a_definition(amount=percent("10"))), state=CampaignState.PAUSED),
            Outcome.NOT_ACTIVE,
        ),
        (
            paying(a_definition(to=Recipient.REFERRER, amount=percent("10"))),
            Outcome.NOTHING_TO_PAY,
        ),
    ],
)
def test_a_rate_that_is_not_needed_is_not_waited_for(campaign: Campaign, outcome: Outcome) -> None:
    """An order that earns nothing anyway would wait for ever, and hold up the others."""
    assert decided(campaign, currency="USD").outcome is outcome


@pytest.mark.parametrize(
    "campaign",
    [
        a_campaign(budget=[an_item()]),
        a_campaign(budget=[an_item(1)]),
        a_campaign(state=CampaignState.PAUSED),
        a_campaign(a_rule(when=all_of(asks("purchase.amount", Operator.GT, Decimal(500))))),
        paying(a_definition(to=Recipient.REFERRER, chaining=chained("20", "50"))),
    ],
)
def test_deciding_changes_nothing_and_always_answers_alike(campaign: Campaign) -> None:
    """A decision could not be replayed, and a simulation would disturb what it looks at."""
    facts = some_facts(
        person=BUYER, chain=list(CHAIN), context={"purchase": {"amount": Decimal("100.00")}}
    )
    used = {WindowKey(item.budget_item_id, ALL_TIME[0]): 7 for item in campaign.budget}
    state = BudgetState(used)
    before = deepcopy((campaign, facts, state))

    first = decide(campaign, facts, state)
    second = decide(campaign, facts, state)

    assert first == second
    assert (campaign, facts, state) == before


def test_a_campaign_that_was_never_published_is_not_asked_when_it_began() -> None:
    """A draft would be decided as if it had always been there."""
    draft = a_campaign(state=CampaignState.DRAFT)

    assert decided(draft, event_time=PUBLISHED - 1000 * DAY).outcome is Outcome.NOT_ACTIVE


def test_a_rule_reaches_as_far_up_as_its_deepest_reward() -> None:
    """People whom a rule pays would not be loaded, or many be loaded in vain."""

    def depth(*definitions: RewardDefinition) -> int:
        return a_rule(*definitions, trigger=Trigger.REFERRAL_PURCHASE).chain_depth

    referrer = a_definition(to=Recipient.REFERRER)
    assert depth(a_definition()) == 0
    assert depth(a_definition(), referrer) == 1
    for depth_max in (1, 5, 20):
        shared = a_definition(
            to=Recipient.REFERRER, chaining=chained("0", "50", depth_max=depth_max)
        )
        assert depth(referrer, shared, a_definition()) == depth_max
