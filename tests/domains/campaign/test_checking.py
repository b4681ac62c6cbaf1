"""Which rules and budgets are refused before they are saved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model import (
    Asset,
    BudgetItem,
    CalendarMonths,
    Chaining,
    ConditionGroup,
    FixedAmount,
    Operator,
    PercentageAmount,
    Recipient,
    RewardDefinition,
    Rule,
    Tiles,
    Trigger,
)
from domains.campaign.model.checking import (
    CONDITION_DEPTH_MAX,
    CONDITIONS_MAX,
    EVENT_FIELDS,
    EventField,
    check_budget,
    check_rule,
    to_base_units,
)
from domains.campaign.model.rule import Operand, Scalar
from guerdon.campaign.v1 import campaign_pb2
from tests.support.campaign import (
    ONE,
    TOKEN,
    UNITS,
    a_definition,
    a_rule,
    all_of,
    an_item,
    any_of,
    asks,
    none_of,
    rules,
)
from tests.support.rules import chained, fixed, percent
from vocabulary.errors import Kind

AMOUNT = "purchase.amount"
ORDER = "purchase.orderId"
NAN = Decimal("NaN")
INFINITY = Decimal("Infinity")
BUDGET = "campaign.budget.items"


def nested(depth: int) -> ConditionGroup:
    group = all_of(asks(AMOUNT, Operator.EXISTS))
    for _ in range(depth - 1):
        group = all_of(group)
    return group


def names_a_field(path: str) -> bool:
    """Whether a path leads through a campaign's message to a field of it."""
    message: Descriptor | None = campaign_pb2.CreateCampaignRequest.DESCRIPTOR
    for part in path.split("."):
        name, bracket, _ = part.partition("[")
        field: FieldDescriptor | None = message.fields_by_name.get(name) if message else None
        if field is None or field.is_repeated != bool(bracket):
            return False
        message = field.message_type
    return True


def refused(rule: Rule) -> RuleInvalidError:
    with pytest.raises(RuleInvalidError) as raised:
        check_rule(rule, UNITS)
    assert names_a_field(raised.value.path), "whoever sent it could not find it"
    return raised.value


@given(rules())
def test_what_can_be_said_can_be_saved(rule: Rule) -> None:
    """A merchant's good rule would be refused, or break the check itself."""
    check_rule(rule, UNITS)


@pytest.mark.parametrize("known", EVENT_FIELDS, ids=lambda known: known.path)
def test_every_field_of_an_event_can_be_asked_about(known: EventField) -> None:
    """A field that the documentation lists would be refused, or one like it accepted."""
    field = known.path.replace("N", "0")
    check_rule(a_rule(when=all_of(asks(field, Operator.EXISTS))), UNITS)
    for wrong in (f"{field}.more", f"{field} ", f"more.{field}", field.upper()):
        found = refused(a_rule(when=all_of(asks(wrong, Operator.EXISTS))))
        assert found.path == "campaign.rule.conditions.conditions[0].condition.field"


@pytest.mark.parametrize(
    ("field", "is_known"),
    [
        ("purchase.items.0.name", True),
        ("purchase.items.9999.name", True),
        ("purchase.items.10000.name", False),
        ("purchase.items.00.name", False),
        ("purchase.items.-1.name", False),
        ("purchase.items.\u0663.name", False),
        ("purchase.items.N.name", False),
        ("purchase.items[0].name", False),
        ("purchaseXamount", False),
        ("", False),
    ],
)
def test_a_line_of_an_order_is_named_by_its_number(field: str, is_known: bool) -> None:
    """A rule with a slip in a path would be saved and never match."""
    rule = a_rule(when=all_of(asks(field, Operator.EXISTS)))
    if is_known:
        check_rule(rule, UNITS)
    else:
        assert "is no field of an event" in refused(rule).problem


@pytest.mark.parametrize(
    ("field", "operator", "value", "value_to", "blamed"),
    [
        (AMOUNT, Operator.EXISTS, Decimal(1), None, "value"),
        (AMOUNT, Operator.NOT_EXISTS, "", None, "value"),
        (AMOUNT, Operator.IN, Decimal(1), None, "value"),
        (AMOUNT, Operator.IN, None, None, "value"),
        (AMOUNT, Operator.IN, (), None, "value"),
        (ORDER, Operator.NOT_IN, "A", None, "value"),
        (ORDER, Operator.NOT_IN, (), None, "value"),
        (AMOUNT, Operator.EQ, (Decimal(1),), None, "value"),
        (AMOUNT, Operator.GT, (Decimal(1),), None, "value"),
        (AMOUNT, Operator.GT, None, None, "value"),
        (AMOUNT, Operator.GTE, True, None, "value"),
        (ORDER, Operator.LT, None, None, "value"),
        (ORDER, Operator.LTE, False, None, "value"),
        (AMOUNT, Operator.BETWEEN, None, Decimal(1), "value"),
        (AMOUNT, Operator.BETWEEN, Decimal(1), None, "value_to"),
        (AMOUNT, Operator.BETWEEN, Decimal(1), True, "value_to"),
        (AMOUNT, Operator.BETWEEN, Decimal(1), "many", "value"),
        (AMOUNT, Operator.GT, Decimal(1), Decimal(2), "value_to"),
        (AMOUNT, Operator.EXISTS, None, Decimal(2), "value_to"),
        (ORDER, Operator.STARTS_WITH, Decimal(1), None, "value"),
        (ORDER, Operator.ENDS_WITH, None, None, "value"),
        (ORDER, Operator.CONTAINS, None, None, "value"),
        (ORDER, Operator.CONTAINS, True, None, "value"),
        (AMOUNT, Operator.CONTAINS, "1", None, "operator"),
        (AMOUNT, Operator.STARTS_WITH, "1", None, "operator"),
        (AMOUNT, Operator.ENDS_WITH, "1", None, "operator"),
        (AMOUNT, Operator.GT, "many", None, "value"),
        (AMOUNT, Operator.EQ, "1e3", None, "value"),
        (AMOUNT, Operator.EQ, True, None, "value"),
        (AMOUNT, Operator.IN, (Decimal(1), "many"), None, "value"),
        (AMOUNT, Operator.EQ, NAN, None, "value"),
        (AMOUNT, Operator.GT, INFINITY, None, "value"),
        (AMOUNT, Operator.IN, (Decimal(1), NAN), None, "value"),
        (AMOUNT, Operator.BETWEEN, Decimal(1), INFINITY, "value_to"),
        (ORDER, Operator.EQ, NAN, None, "value"),
        ("purchase.items", Operator.EQ, "A", None, "operator"),
        ("purchase.items", Operator.CONTAINS, "A", None, "operator"),
    ],
)
def test_a_question_without_an_answer_is_refused(
    field: str, operator: Operator, value: Operand, value_to: Scalar, blamed: str
) -> None:
    """A rule that can never match, or whose events can never be decided, would be saved."""
    found = refused(a_rule(when=any_of(asks(field, operator, value, value_to))))

    assert found.path == f"campaign.rule.conditions.conditions[0].condition.{blamed}"


def test_a_condition_is_named_where_it_stands() -> None:
    """A merchant with a long rule would look for the mistake in the wrong place."""
    wrong = asks("purchase.amounts", Operator.EXISTS)
    right = asks(AMOUNT, Operator.EXISTS)
    rule = a_rule(when=any_of(right, none_of(all_of(right, right), all_of(right, wrong))))

    found = refused(rule)

    place = "conditions[1].group.conditions[1].group.conditions[1].condition.field"
    assert found.path == f"campaign.rule.conditions.{place}"
    assert found.field == found.path
    assert found.metadata == {"path": found.path}
    assert found.kind is Kind.INVALID
    assert found.problem in found.message


def test_groups_nest_eight_deep_and_no_deeper() -> None:
    """A rule could be too deep to be read again."""
    check_rule(a_rule(when=nested(CONDITION_DEPTH_MAX)), UNITS)

    found = refused(a_rule(when=nested(CONDITION_DEPTH_MAX + 1)))

    assert found.path == "campaign.rule.conditions" + ".conditions[0].group" * CONDITION_DEPTH_MAX


def test_a_rule_has_two_hundred_conditions_and_no_more() -> None:
    """A rule could take so long that it held up a merchant's rewards."""

    def asking(*counts: int) -> Rule:
        question = asks(AMOUNT, Operator.EXISTS)
        return a_rule(when=any_of(*(all_of(*[question] * count) for count in counts)))

    check_rule(asking(CONDITIONS_MAX - 1, 1), UNITS)

    assert refused(asking(CONDITIONS_MAX, 1)).path == "campaign.rule.conditions"


@pytest.mark.parametrize("field", [AMOUNT, "purchase.items", "purchase.items.0.name"])
def test_an_event_without_an_order_is_not_asked_about_one(field: str) -> None:
    """A rule about arrivals that asks for the order's total would be saved and never match."""
    rule = a_rule(trigger=Trigger.REFERRAL, when=all_of(asks(field, Operator.EXISTS)))

    assert refused(rule).path == "campaign.rule.conditions.conditions[0].condition.field"


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
            for zone in ("Paris", "europe/paris", "Europe", "../UTC", "/etc/passwd", "tzdata.zi")
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
