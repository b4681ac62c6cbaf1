"""Values and ranges that no event has, and conditions that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from domains.campaign.model import Condition, ConditionGroup, Operator
from domains.campaign.model.rule import Scalar
from tests.support.campaign import a_rule, all_of, any_of, asks, none_of
from tests.support.refused_rules import AMOUNT, ORDER, refused


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        (asks("time.hourOfDay", Operator.GT, Decimal(23)), "can never hold"),
        (asks("time.hourOfDay", Operator.GTE, Decimal(0)), "holds for every event"),
        (asks(AMOUNT, Operator.LT, Decimal(0)), "can never hold"),
        (asks("purchase.currency", Operator.EXISTS), "holds for every event"),
    ],
)
@pytest.mark.parametrize("logic", [any_of, none_of, all_of])
def test_a_condition_that_says_nothing_is_named_whatever_stands_beside_it(
    question: Condition, problem: str, logic: Callable[..., ConditionGroup]
) -> None:
    """The other conditions would hide that one is not what was meant."""
    found = refused(a_rule(when=logic(asks(AMOUNT, Operator.GT, Decimal(7)), question)))

    assert found.path == "campaign.rule.conditions.conditions[1].condition"
    assert found.problem.startswith(problem)


ZERO_WALLET = f"0x{0:040x}"
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("operator", [Operator.EQ, Operator.NEQ])
@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("user.walletAddress", ZERO_WALLET, f"is \"{ZERO_WALLET[:39]}…: it is nobody's"),
        ("attribution.referrerIdentityGroupId", NIL, f'is "{NIL}": it is nobody\'s'),
        ("attribution.utmCampaign", "undefined", "must not be undefined: "),
        (ORDER, "null", "must not be null: purchase.orderId never is"),
        ("purchase.items.0.name", "", "must not be empty: purchase.items.N.name never is"),
        (AMOUNT, Decimal("0.30000000000000004"), "is 0.30000000000000004: it must not have more"),
        ("time.hourOfDay", Decimal(24), "is 24: it must be an hour in UTC, a whole number from 0"),
        ("time.date", "2026-02-30", 'is "2026-02-30": it is no day of the calendar'),
    ],
)
def test_a_value_that_no_event_has_is_refused_as_it_was_sent(
    operator: Operator, field: str, value: Scalar, problem: str
) -> None:
    """Who excludes nobody's wallet means to exclude who has none, and would pay them."""
    found = refused(a_rule(when=all_of(asks(field, operator, value))))

    assert found.problem.startswith(problem)


@pytest.mark.parametrize(
    ("value", "value_to", "blamed"),
    [(Decimal(1500), None, "value"), ("a", Decimal(1100), "value_to")],
)
def test_which_text_comes_first_is_not_asked_of_a_number(
    value: Scalar, value_to: Scalar, blamed: str
) -> None:
    """Order 999 would be paid for, and order 10000 not."""
    operator = Operator.GT if value_to is None else Operator.BETWEEN
    found = refused(a_rule(when=all_of(asks(ORDER, operator, value, value_to))))

    assert found.path.endswith(f"condition.{blamed}")
    assert "must be a text" in found.problem


@pytest.mark.parametrize(
    ("field", "is_told"), [("time.hourOfDay", True), ("time.dayOfWeek", True), (AMOUNT, False)]
)
def test_a_range_upside_down_is_told_what_it_may_have_meant(field: str, *, is_told: bool) -> None:
    """A range of amounts does not go over midnight."""
    found = refused(
        a_rule(when=all_of(asks(field, Operator.BETWEEN, Decimal(6), Decimal(2)))),
    )

    assert ("midnight" in found.problem) is is_told


@pytest.mark.parametrize("value_to", ["", "undefined", "x" * 256, "{{" + "x" * 400])
def test_the_end_of_a_range_is_blamed_for_itself(value_to: str) -> None:
    """A developer would look at the end that is right, and read all of what they sent."""
    found = refused(a_rule(when=all_of(asks(ORDER, Operator.BETWEEN, "a", value_to))))

    assert found.path.endswith("condition.value_to")
    assert len(found.problem) < 200


def test_a_range_has_two_ends() -> None:
    """A developer would read that nothing is no number."""
    found = refused(a_rule(when=all_of(asks(AMOUNT, Operator.BETWEEN, Decimal(1)))))

    assert found.problem == "is missing: it is the upper end"
