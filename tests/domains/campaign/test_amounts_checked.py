"""Which amounts and budgets are refused before they are saved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model import (
    Asset,
    BudgetItem,
    CalendarMonths,
    Chaining,
    FixedAmount,
    PercentageAmount,
    Recipient,
    RewardDefinition,
    Tiles,
    Trigger,
)
from domains.campaign.model.checking import check_budget, check_rule, to_base_units
from tests.support.campaign import (
    ONE,
    TOKEN,
    UNITS,
    a_definition,
    a_rule,
    an_item,
)
from tests.support.refused_rules import BUDGET, names_a_field, refused
from tests.support.rules import chained, fixed, percent


def to_referrer(amount: FixedAmount, chaining: Chaining) -> RewardDefinition:
    return a_definition(to=Recipient.REFERRER, amount=amount, chaining=chaining)


@pytest.mark.parametrize(
    ("definition", "blamed"),
    [
        (a_definition(amount=fixed("0")), "fixed.amount"),
        (a_definition(amount=fixed("0.0000001")), "fixed.amount"),
        (a_definition(amount=fixed("1.1234567")), "fixed.amount"),
        (a_definition(amount=fixed("1.1234567"), asset=Asset.POINTS), "fixed.amount"),
        (a_definition(amount=fixed("1e72")), "fixed.amount"),
        (a_definition(amount=percent("0")), "percentage.percent"),
        (a_definition(amount=percent("100.000001")), "percentage.percent"),
        (a_definition(amount=percent("-1")), "percentage.percent"),
        (
            a_definition(amount=PercentageAmount(percent=Decimal(5), amount_max=Decimal(0))),
            "percentage.amount_max",
        ),
        (
            a_definition(amount=PercentageAmount(percent=Decimal(5), amount_min=Decimal(0))),
            "percentage.amount_min",
        ),
        (
            a_definition(amount=PercentageAmount(percent=Decimal(5), amount_max=Decimal("1e-7"))),
            "percentage.amount_max",
        ),
        (a_definition(chaining=chained("20", "50")), "chaining"),
        (a_definition(to=Recipient.REFEREE, chaining=chained("20", "50")), "chaining"),
        (to_referrer(fixed("1"), chained("120", "50")), "chaining.user_percent"),
        (to_referrer(fixed("1"), chained("-1", "50")), "chaining.user_percent"),
        (to_referrer(fixed("1"), chained("20", "100.1")), "chaining.level_percent"),
        (to_referrer(fixed("1"), chained("20", "-0.1")), "chaining.level_percent"),
        (to_referrer(fixed("1"), chained("20", "33.3333333")), "chaining.level_percent"),
    ],
)
def test_an_amount_that_cannot_be_paid_is_refused(
    definition: RewardDefinition, blamed: str
) -> None:
    """A campaign would promise what cannot be counted, or pay more than the whole."""
    found = refused(a_rule(a_definition(), definition))

    assert found.path == f"campaign.rule.rewards[1].{blamed}"


@pytest.mark.parametrize(
    "definition",
    [
        a_definition(amount=fixed("0.000001")),
        a_definition(amount=percent("100")),
        a_definition(amount=percent("0.000001")),
        to_referrer(fixed("1"), chained("0", "0")),
        to_referrer(fixed("1"), chained("100", "100")),
        to_referrer(fixed("1"), chained("33.333333", "12.500000")),
        to_referrer(fixed("1"), chained("1e1", "1e2")),
    ],
)
def test_an_amount_at_the_edge_is_accepted(definition: RewardDefinition) -> None:
    """A merchant could not pay the smallest unit, all of an order, or all to the buyer."""
    check_rule(a_rule(definition), UNITS)


def test_a_part_needs_something_to_be_a_part_of() -> None:
    """An arrival would promise a percentage of nothing."""
    rule = a_rule(a_definition(amount=percent("5")), trigger=Trigger.REFERRAL)

    assert refused(rule).path == "campaign.rule.rewards[0].percentage"


@pytest.mark.parametrize(
    ("items", "path"),
    [
        ([an_item(), an_item(asset=Asset.POINTS)], f"{BUDGET}[1].label"),
        ([an_item(), an_item(0, label="other")], f"{BUDGET}[1].amount"),
        *(
            (
                [an_item(window=CalendarMonths(time_zone=zone))],
                "campaign.budget.items[0].calendar_month",
            )
            for zone in (
                "Paris",
                "europe/paris",
                "Europe",
                "../UTC",
                "/etc/passwd",
                "tzdata.zi",
                "localtime",
                "posixrules",
                "Factory",
                "right/UTC",
            )
        ),
        (
            [an_item(window=CalendarMonths(time_zone="x" * 300))],
            "campaign.budget.items[0].calendar_month",
        ),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(items: Sequence[BudgetItem], path: str) -> None:
    """Two limits could not be told apart, or the months of a place that does not exist would
    stop a merchant's rewards.
    """
    with pytest.raises(RuleInvalidError) as raised:
        check_budget(items)

    assert raised.value.path.startswith(path)
    assert names_a_field(raised.value.path)


def test_a_budget_of_every_kind_is_accepted() -> None:
    """A merchant could not have a limit a day beside one a month."""
    check_budget([])
    check_budget(
        [
            an_item(1),
            an_item(label="a day", window=Tiles(duration=timedelta(days=1))),
            an_item(label="a month", window=CalendarMonths(time_zone="Pacific/Auckland")),
            an_item(label="points", asset=Asset.POINTS, window=CalendarMonths(time_zone="UTC")),
        ]
    )


@pytest.mark.parametrize("amount", ["0.0000001", "1e72", "-1"])
def test_a_limit_that_cannot_be_counted_is_refused_by_path(amount: str) -> None:
    """A limit would be kept as another one than the merchant sent."""
    assert to_base_units(Decimal("1.5"), TOKEN, "here") == 3 * ONE // 2
    with pytest.raises(RuleInvalidError) as raised:
        to_base_units(Decimal(amount), TOKEN, "campaign.budget.items[0].amount")

    assert raised.value.path == "campaign.budget.items[0].amount"
