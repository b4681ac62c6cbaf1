"""Which rules are refused before they are saved."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given

from domains.attribution.model import Source
from domains.campaign.errors import RuleInvalidError
from domains.campaign.model import (
    Condition,
    ConditionGroup,
    Operator,
    Rule,
    Trigger,
)
from domains.campaign.model.checking import check_rule
from domains.campaign.model.condition_forms import (
    CONDITIONS_MAX,
    DEPTH_MAX,
    LIST_MAX,
    VALUES_MAX,
)
from domains.campaign.model.fields import EVENT_FIELDS, SOURCES, EventField, FieldType
from domains.campaign.model.rule import Operand, Scalar
from domains.campaign.servicer.rules import from_rule, to_rule
from tests.support.campaign import (
    UNITS,
    a_rule,
    all_of,
    any_of,
    asks,
    none_of,
    rules,
)
from tests.support.refused_rules import (
    AMOUNT,
    CHECKSUMMED,
    INFINITY,
    MISSPELLED,
    NAN,
    ORDER,
    SOMETIMES,
    UPPER_ID,
    UTM,
    refused,
)
from vocabulary.errors import Kind
from vocabulary.problems import Problems


def nested(depth: int) -> ConditionGroup:
    group = all_of(SOMETIMES)
    for _ in range(depth - 1):
        group = all_of(group)
    return group


@given(rules())
def test_what_is_saved_is_saved_again_as_it_is(rule: Rule) -> None:
    """A merchant who reads a rule and writes it back would have another one."""
    saved = saved_or_excluded(rule)
    if saved is None:
        return
    told = from_rule(saved)
    assert check_rule(to_rule(told, Problems()), UNITS) == saved
    assert from_rule(check_rule(to_rule(told, Problems()), UNITS)) == told


def saved_or_excluded(rule: Rule) -> Rule | None:
    """The rule as it is saved; None if its conditions exclude each other."""
    with suppress(RuleInvalidError):
        return check_rule(rule, UNITS)
    found = refused(rule)
    assert found.path.startswith("campaign.rule.conditions")
    assert found.problem.startswith(
        ("can never hold", "holds for every event", "has no conditions")
    )
    return None


@pytest.mark.parametrize("known", EVENT_FIELDS, ids=lambda known: known.path)
def test_every_field_of_an_event_can_be_asked_about(known: EventField) -> None:
    """A field that the documentation lists would be refused, or one like it accepted."""
    field = known.path.replace("N", "0")
    if known.is_always_there:
        found = refused(a_rule(when=all_of(asks(field, Operator.EXISTS))))
        assert found.problem == "holds for every event: leave it out"
    else:
        check_rule(a_rule(when=all_of(asks(field, Operator.EXISTS))), UNITS)
    for wrong in (f"{field}.more", f"{field} ", f"more.{field}", field.upper()):
        found = refused(a_rule(when=all_of(asks(wrong, Operator.EXISTS))))
        assert found.path == "campaign.rule.conditions.conditions[0].condition.field"


@pytest.mark.parametrize(
    ("field", "is_known"),
    [
        ("purchase.items.0.name", True),
        ("purchase.items.999.name", True),
        ("purchase.items.1000.name", False),
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
        (AMOUNT, Operator.BETWEEN, Decimal(1), "many", "value_to"),
        (AMOUNT, Operator.GT, Decimal(1), Decimal(2), "value_to"),
        (AMOUNT, Operator.EXISTS, None, Decimal(2), "value_to"),
        (ORDER, Operator.STARTS_WITH, Decimal("1.5"), None, "value"),
        (ORDER, Operator.EQ, Decimal(2**53), None, "value"),
        (ORDER, Operator.EQ, "x" * 501, None, "value"),
        (ORDER, Operator.CONTAINS, "", None, "value"),
        (ORDER, Operator.STARTS_WITH, "", None, "value"),
        (ORDER, Operator.ENDS_WITH, None, None, "value"),
        (ORDER, Operator.CONTAINS, None, None, "value"),
        (ORDER, Operator.CONTAINS, True, None, "value"),
        (AMOUNT, Operator.CONTAINS, "1", None, "operator"),
        (AMOUNT, Operator.STARTS_WITH, "1", None, "operator"),
        (AMOUNT, Operator.ENDS_WITH, "1", None, "operator"),
        (AMOUNT, Operator.GT, "many", None, "value"),
        (AMOUNT, Operator.EQ, "1e3", None, "value"),
        (AMOUNT, Operator.EQ, True, None, "value"),
        (AMOUNT, Operator.IN, (Decimal(1), "many"), None, "value[1]"),
        (AMOUNT, Operator.EQ, NAN, None, "value"),
        (AMOUNT, Operator.GT, INFINITY, None, "value"),
        (AMOUNT, Operator.IN, (Decimal(1), NAN), None, "value[1]"),
        (AMOUNT, Operator.IN, tuple(map(Decimal, range(LIST_MAX + 1))), None, "value"),
        (AMOUNT, Operator.EQ, Decimal("1e40"), None, "value"),
        (AMOUNT, Operator.EQ, "-1", None, "value"),
        (AMOUNT, Operator.BETWEEN, "22", "6", "value_to"),
        ("time.hourOfDay", Operator.BETWEEN, Decimal(22), Decimal(6), "value_to"),
        ("time.hourOfDay", Operator.EQ, Decimal(24), None, "value"),
        ("time.hourOfDay", Operator.GT, Decimal("21.5"), None, "value"),
        ("time.dayOfWeek", Operator.EQ, Decimal(7), None, "value"),
        ("time.dayOfWeek", Operator.EQ, "Monday", None, "value"),
        ("time.timestamp", Operator.GT, Decimal(0), None, "value"),
        ("time.timestamp", Operator.GT, "2026-11-26", None, "value"),
        ("time.date", Operator.EQ, "2026-02-30", None, "value"),
        ("time.date", Operator.EQ, "26.11.2026", None, "value"),
        ("time.date", Operator.EQ, "1989-12-31", None, "value"),
        ("time.date", Operator.STARTS_WITH, "2026", None, "operator"),
        ("purchase.currency", Operator.EQ, "euro", None, "value"),
        ("purchase.currency", Operator.GT, "EUR", None, "operator"),
        ("purchase.items.length", Operator.EQ, Decimal("1.5"), None, "value"),
        ("attribution.source", Operator.EQ, "ad", None, "value"),
        ("user.identityGroupId", Operator.NEQ, "ann", None, "value"),
        ("user.identityGroupId", Operator.CONTAINS, "a", None, "operator"),
        ("user.walletAddress", Operator.NOT_IN, (MISSPELLED,), None, "value[0]"),
        ("user.walletAddress", Operator.EQ, "0x00", None, "value"),
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
    right = SOMETIMES
    rule = a_rule(when=any_of(right, none_of(all_of(right, right), all_of(right, wrong))))

    found = refused(rule)

    place = "conditions[1].group.conditions[1].group.conditions[1].condition.field"
    assert found.path == f"campaign.rule.conditions.{place}"
    assert found.field == found.path
    assert found.metadata == {"path": found.path}
    assert found.kind is Kind.INVALID
    assert found.problem in found.message


@pytest.mark.parametrize(
    ("field", "sent", "saved"),
    [
        (AMOUNT, "59.80", Decimal("59.8")),
        (AMOUNT, Decimal("1e3"), Decimal(1000)),
        (AMOUNT, "007", Decimal(7)),
        ("purchase.subtotal", "-0", Decimal(0)),
        (ORDER, Decimal(7), "7"),
        (ORDER, Decimal("7.0"), "7"),
        (ORDER, "7.0", "7.0"),
        (ORDER, " a ", " a "),
        ("purchase.currency", "usd", "USD"),
        ("user.walletAddress", CHECKSUMMED, CHECKSUMMED.lower()),
        ("user.identityGroupId", UPPER_ID, UPPER_ID.lower()),
        ("time.hourOfDay", "22", Decimal(22)),
        ("time.date", "2026-11-26", "2026-11-26"),
    ],
)
def test_a_value_has_one_form(field: str, sent: Scalar, saved: Scalar) -> None:
    """A wallet that was spelled otherwise would not be excluded, and be paid."""
    for operator, value, formed in (
        (Operator.NEQ, sent, saved),
        (Operator.NOT_IN, (sent,), (saved,)),
    ):
        rule = check_rule(a_rule(when=all_of(asks(field, operator, value))), UNITS)

        assert rule.conditions == all_of(asks(field, operator, formed))
        # Two decimals may be equal and be spelled otherwise.
        assert str(rule.conditions) == str(all_of(asks(field, operator, formed)))


def test_the_sources_are_those_that_arrivals_have() -> None:
    """A rule about a source would be refused, or never match."""
    assert set(SOURCES) == {each.value for each in Source}


def test_every_type_is_asked_about_by_some_field() -> None:
    """A type would be dead, and its rules untested."""
    assert {each.type for each in EVENT_FIELDS} == set(FieldType)


@pytest.mark.parametrize("group", [all_of(), any_of(), none_of()])
def test_a_group_within_says_something(group: ConditionGroup) -> None:
    """Whoever forgot its conditions would read of events, or pay for all of them."""
    found = refused(a_rule(when=all_of(asks(AMOUNT, Operator.GT, Decimal(1)), group)))

    assert found.path == "campaign.rule.conditions.conditions[1].group"
    assert found.problem == "has no conditions: leave it out"


def test_groups_nest_eight_deep_and_no_deeper() -> None:
    """A rule could be too deep to be read again."""
    check_rule(a_rule(when=nested(DEPTH_MAX)), UNITS)

    found = refused(a_rule(when=nested(DEPTH_MAX + 1)))

    assert found.path == "campaign.rule.conditions" + ".conditions[0].group" * DEPTH_MAX


def test_a_rule_has_two_hundred_conditions_and_no_more() -> None:
    """A rule could take so long that it held up a merchant's rewards."""

    def asking(*counts: int) -> Rule:
        question = SOMETIMES
        return a_rule(when=any_of(*(all_of(*[question] * count) for count in counts)))

    check_rule(asking(CONDITIONS_MAX - 1, 1), UNITS)

    assert refused(asking(CONDITIONS_MAX, 1)).path == "campaign.rule.conditions"


@pytest.mark.parametrize("field", [AMOUNT, "purchase.items", "purchase.items.0.name"])
def test_an_event_without_an_order_is_not_asked_about_one(field: str) -> None:
    """A rule about arrivals that asks for the order's total would be saved and never match."""
    rule = a_rule(trigger=Trigger.REFERRAL, when=all_of(asks(field, Operator.EXISTS)))

    assert refused(rule).path == "campaign.rule.conditions.conditions[0].condition.field"


def test_all_lists_of_a_rule_have_so_many_values_together() -> None:
    """Whoever decides a merchant's events would read them all, for each of its batches."""
    full = tuple(Decimal(number) for number in range(LIST_MAX))
    lists = [asks(AMOUNT, Operator.NOT_IN, full)] * (VALUES_MAX // LIST_MAX)
    check_rule(a_rule(when=all_of(*lists)), UNITS)

    one_more = asks(AMOUNT, Operator.NOT_IN, (Decimal(1),))
    with pytest.raises(RuleInvalidError) as refused:
        check_rule(a_rule(when=all_of(*lists, any_of(one_more, one_more))), UNITS)

    assert "5000 values in all its lists; these have 5002" in str(refused.value)


NIGHT = all_of(
    asks("time.hourOfDay", Operator.GTE, Decimal(22)),
    asks("time.hourOfDay", Operator.LTE, Decimal(6)),
)
LARGE = asks(AMOUNT, Operator.GT, Decimal(50))
IN_VAIN = {
    "an exclusion of no hour": (
        all_of(LARGE, none_of(NIGHT)),
        "conditions[1].group.conditions[0].group",
    ),
    "a way that nobody goes": (any_of(LARGE, NIGHT), "conditions[1].group"),
    "an exclusion of nothing": (all_of(LARGE, none_of()), "conditions[1].group"),
    "a choice of all there is": (
        all_of(LARGE, any_of(asks(UTM, Operator.EXISTS), asks(UTM, Operator.NOT_EXISTS))),
        "conditions[1].group",
    ),
    "an empty text": (all_of(asks(UTM, Operator.NEQ, "")), "conditions[0].condition.value"),
    "an empty text of a list": (
        all_of(asks(UTM, Operator.NOT_IN, ("a", ""))),
        "conditions[0].condition.value",
    ),
    "a text that is too long": (
        all_of(asks("purchase.orderId", Operator.NEQ, "x" * 256)),
        "conditions[0].condition.value",
    ),
    "an amount that is too large": (
        all_of(asks(AMOUNT, Operator.GT, Decimal(10) ** 20)),
        "conditions[0].condition.value",
    ),
    "what is before its own beginning": (
        all_of(asks(UTM, Operator.STARTS_WITH, "abc"), asks(UTM, Operator.LT, "abc")),
        "conditions",
    ),
}


@pytest.mark.parametrize(("when", "place"), IN_VAIN.values(), ids=IN_VAIN)
def test_what_says_nothing_is_refused_where_it_stands(when: ConditionGroup, place: str) -> None:
    """An exclusion would exclude nobody, and everybody be paid."""
    with pytest.raises(RuleInvalidError) as refused:
        check_rule(a_rule(when=when), UNITS)
    assert refused.value.field == f"campaign.rule.conditions.{place}".removesuffix(".conditions")


@pytest.mark.parametrize(
    ("trigger", "question"),
    [
        (Trigger.REFERRAL_PURCHASE, asks("attribution.source", Operator.EQ, "paid_ad")),
        (Trigger.REFERRAL_PURCHASE, asks("attribution.source", Operator.EQ, "referral_link")),
        (Trigger.REFERRAL, asks("attribution.referrerIdentityGroupId", Operator.NOT_EXISTS)),
        (Trigger.REFERRAL_PURCHASE, asks("attribution.touchpointId", Operator.EXISTS)),
    ],
)
def test_what_the_trigger_settles_is_no_question(trigger: Trigger, question: Condition) -> None:
    """A campaign for friends who came by an advertisement would never pay."""
    rule = a_rule(trigger=trigger, when=all_of(question))
    with pytest.raises(RuleInvalidError):
        check_rule(rule, UNITS)
    check_rule(a_rule(trigger=Trigger.PURCHASE, when=all_of(question)), UNITS)
