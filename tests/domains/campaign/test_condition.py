"""Which events meet a rule's conditions."""

from __future__ import annotations

import timeit
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.campaign.model import Condition, ConditionGroup, Logic, Operator
from domains.campaign.model.comparing import MISSING
from domains.campaign.model.condition import first_failure, is_met, resolve
from domains.campaign.model.rule import Operand, Scalar
from tests.support.campaign import all_of, any_of, asks, groups, none_of

SIGHTS: dict[str, object] = {
    "missing": MISSING,
    "null": None,
    "number": Decimal(50),
    "numeric text": "50",
    "text": "fifty",
    "true": True,
    "list": [Decimal(50), "fifty"],
    "object": {"number": Decimal(50)},
}
ALL = set(SIGHTS)
NUMBERS = {"number", "numeric text"}
TEXTS = {"numeric text", "text"}

CONTEXT: dict[str, Any] = {
    "purchase": {
        "amount": Decimal("59.80"),
        "orderId": "A-1001",
        "items": [
            {"name": "blue mug", "quantity": Decimal(2)},
            {"name": "red mug", "quantity": Decimal(1)},
        ],
    },
    "user": {"walletAddress": None},
}
MET = asks("purchase.amount", Operator.GT, Decimal(50))
UNMET = asks("purchase.amount", Operator.GT, Decimal(60))
UNMET_TOO = asks("purchase.orderId", Operator.EQ, "B")


@pytest.mark.parametrize(
    ("operator", "value", "value_to", "meet"),
    [
        (Operator.EQ, Decimal(50), None, NUMBERS),
        (Operator.EQ, "50", None, NUMBERS),
        (Operator.EQ, "fifty", None, {"text"}),
        (Operator.EQ, True, None, {"true"}),
        (Operator.EQ, False, None, set()),
        (Operator.EQ, None, None, {"null"}),
        (Operator.NEQ, Decimal(50), None, ALL - NUMBERS),
        (Operator.NEQ, "50", None, ALL - NUMBERS),
        (Operator.NEQ, "fifty", None, ALL - {"text"}),
        (Operator.NEQ, True, None, ALL - {"true"}),
        (Operator.NEQ, None, None, ALL - {"null"}),
        (Operator.GT, Decimal(49), None, NUMBERS),
        (Operator.GT, Decimal(50), None, set()),
        (Operator.GT, "49", None, NUMBERS | TEXTS),
        (Operator.GT, "fift", None, {"text"}),
        (Operator.GTE, Decimal(50), None, NUMBERS),
        (Operator.GTE, Decimal("50.000001"), None, set()),
        (Operator.GTE, "fifty", None, {"text"}),
        (Operator.LT, Decimal(51), None, NUMBERS),
        (Operator.LT, Decimal(50), None, set()),
        (Operator.LT, "g", None, TEXTS),
        (Operator.LTE, Decimal(50), None, NUMBERS),
        (Operator.LTE, Decimal("49.999999"), None, set()),
        (Operator.LTE, "fifty", None, TEXTS),
        (Operator.BETWEEN, Decimal(50), Decimal(50), NUMBERS),
        (Operator.BETWEEN, Decimal(51), Decimal(60), set()),
        (Operator.BETWEEN, Decimal(60), Decimal(40), set()),
        (Operator.BETWEEN, "f", "g", {"text"}),
        (Operator.BETWEEN, Decimal(40), None, set()),
        (Operator.IN, (Decimal(1), Decimal(50)), None, NUMBERS),
        (Operator.IN, ("50", "fifty"), None, NUMBERS | TEXTS),
        (Operator.IN, (None, True), None, {"null", "true"}),
        (Operator.IN, (), None, set()),
        (Operator.IN, "fifty", None, set()),
        (Operator.NOT_IN, (Decimal(1), Decimal(50)), None, ALL - NUMBERS),
        (Operator.NOT_IN, ("50", "fifty"), None, ALL - NUMBERS - TEXTS),
        (Operator.NOT_IN, (None, True), None, ALL - {"null", "true"}),
        (Operator.NOT_IN, "fifty", None, set()),
        (Operator.CONTAINS, "if", None, {"text"}),
        (Operator.CONTAINS, "fifty", None, {"text", "list"}),
        (Operator.CONTAINS, "Fifty", None, set()),
        (Operator.CONTAINS, "5", None, {"numeric text"}),
        (Operator.CONTAINS, Decimal(50), None, {"list"}),
        (Operator.CONTAINS, "50", None, {"numeric text", "list"}),
        (Operator.CONTAINS, "", None, TEXTS),
        (Operator.STARTS_WITH, "fif", None, {"text"}),
        (Operator.STARTS_WITH, "Fif", None, set()),
        (Operator.STARTS_WITH, "5", None, {"numeric text"}),
        (Operator.STARTS_WITH, Decimal(5), None, set()),
        (Operator.ENDS_WITH, "ty", None, {"text"}),
        (Operator.ENDS_WITH, "TY", None, set()),
        (Operator.ENDS_WITH, "0", None, {"numeric text"}),
        (Operator.EXISTS, None, None, ALL - {"missing", "null"}),
        (Operator.NOT_EXISTS, None, None, {"missing", "null"}),
    ],
)
def test_an_operator_answers_for_every_kind_of_value(
    operator: Operator, value: Operand, value_to: Scalar, meet: set[str]
) -> None:
    """A campaign would pay people of whom it knows nothing, or would not pay those it means:
    a field that is not there is neither above nor below anything.
    """
    condition = asks("anything", operator, value, value_to)

    assert {name for name, saw in SIGHTS.items() if is_met(condition, saw)} == meet


@pytest.mark.parametrize(
    ("saw", "operator", "value"),
    [
        # As texts, each of these would be the other way round.
        (Decimal(9), Operator.LT, "10"),
        ("9", Operator.LT, Decimal(10)),
        (Decimal(-1), Operator.LT, Decimal(0)),
        # One number in several spellings.
        (Decimal("100.00"), Operator.EQ, Decimal(100)),
        (Decimal("100.00"), Operator.EQ, "100"),
        ("0.10", Operator.EQ, Decimal("0.1")),
        # As binary fractions, these would be one number.
        (Decimal("0.1000000000000000000001"), Operator.GT, Decimal("0.1")),
        ("12345678901234567890.000000000001", Operator.GT, Decimal(12345678901234567890)),
        # By code point, whatever a language's alphabet says.
        ("Z", Operator.LT, "a"),
        ("é", Operator.GT, "z"),
        ("2025-03-01", Operator.LT, "2025-10-01"),
        # Texts that only resemble numbers are texts.
        ("1e3", Operator.NEQ, Decimal(1000)),
        (" 50", Operator.NEQ, Decimal(50)),
        ("\u0665\u0660", Operator.NEQ, Decimal(50)),
        # A truth value is no number.
        (True, Operator.NEQ, Decimal(1)),
        (Decimal(1), Operator.NEQ, True),
    ],
)
def test_numbers_compare_by_value_and_texts_by_code_point(
    saw: object, operator: Operator, value: Scalar
) -> None:
    """An order of 9 euros would count as more than one of 10, or 0.1 as something else."""
    assert is_met(asks("anything", operator, value), saw)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.from_regex(r"-?[0-9]{1,3}(\.[0-9])?", fullmatch=True),
)


@given(
    saw=_SCALARS | st.just(MISSING) | st.lists(_SCALARS, max_size=3), low=_SCALARS, high=_SCALARS
)
def test_operators_agree_with_each_other(saw: object, low: Scalar, high: Scalar) -> None:
    """A merchant who turns a question round would get the same people, or people whom both
    questions leave out.
    """

    def meets(operator: Operator, value: Operand = None, value_to: Scalar = None) -> bool:
        return is_met(asks("anything", operator, value, value_to), saw)

    assert meets(Operator.NEQ, low) is not meets(Operator.EQ, low)
    assert meets(Operator.NOT_IN, (low, high)) is not meets(Operator.IN, (low, high))
    assert meets(Operator.IN, (low, high)) is (meets(Operator.EQ, low) or meets(Operator.EQ, high))
    assert meets(Operator.EXISTS) is not meets(Operator.NOT_EXISTS)
    assert meets(Operator.BETWEEN, low, high) is (
        meets(Operator.GTE, low) and meets(Operator.LTE, high)
    )
    comes = [meets(operator, low) for operator in (Operator.LT, Operator.GT)]
    at_or = [meets(operator, low) for operator in (Operator.LTE, Operator.GTE)]
    if any(at_or):
        is_equal = meets(Operator.EQ, low)
        assert [*comes, is_equal].count(True) == 1
        assert at_or == [comes[0] or is_equal, comes[1] or is_equal]
    else:
        assert not any(comes), "what does not compare meets no ordering"


@given(saw=_SCALARS | st.lists(_SCALARS, max_size=3), values=st.lists(_SCALARS, max_size=6))
def test_a_list_has_what_equals_one_of_its_values(saw: object, values: list[Scalar]) -> None:
    """What a list excludes one by one would be paid: "10.0" is the number 10 and not the text."""
    is_one = any(is_met(asks("anything", Operator.EQ, each), saw) for each in values)

    assert is_met(asks("anything", Operator.IN, tuple(values)), saw) is is_one
    assert is_met(asks("anything", Operator.NOT_IN, tuple(values)), saw) is not is_one


@pytest.mark.parametrize("saw", ["sku-none", "17.5", Decimal("17.5"), None])
def test_a_long_list_is_asked_as_fast_as_a_short_one(saw: Scalar) -> None:
    """Each order of a shop would cost 0.3 seconds of a worker: lists are as long as shops like."""

    def seconds(length: int) -> float:
        values = tuple(f"sku-{number}" for number in range(length // 2))
        condition = asks("anything", Operator.IN, values + tuple(map(Decimal, range(length // 2))))
        return min(timeit.repeat(lambda: is_met(condition, saw), number=200, repeat=5))

    assert seconds(1_000) < 5 * seconds(2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("purchase.amount", Decimal("59.80")),
        ("purchase.items.length", Decimal(2)),
        ("purchase.items.0.name", "blue mug"),
        ("purchase.items.1.quantity", Decimal(1)),
        ("purchase.items.2.name", MISSING),
        ("purchase.items.-1.name", MISSING),
        ("purchase.items[0].name", MISSING),
        ("purchase.items.name", MISSING),
        ("purchase.items.0.length", MISSING),
        ("purchase.orderId.length", MISSING),
        ("purchase.amount.0", MISSING),
        ("purchase.length", MISSING),
        ("user.walletAddress", None),
        ("user.walletAddress.length", MISSING),
        ("attribution.source", MISSING),
        ("", MISSING),
        (".", MISSING),
    ],
)
def test_a_path_leads_to_its_value_or_nowhere(path: str, value: object) -> None:
    """A rule about the first item would look at another one, or an event without items would
    stop the merchant's rewards.
    """
    assert resolve(CONTEXT, path) == value


@pytest.mark.parametrize(
    ("group", "path", "condition", "saw"),
    [
        (all_of(), None, None, None),
        (none_of(), None, None, None),
        (any_of(), "conditions", None, MISSING),
        (all_of(MET), None, None, None),
        (all_of(MET, UNMET, UNMET_TOO), "conditions[1]", UNMET, Decimal("59.80")),
        (any_of(UNMET, MET), None, None, None),
        (any_of(UNMET_TOO, UNMET), "conditions[0]", UNMET_TOO, "A-1001"),
        (none_of(UNMET, UNMET_TOO), None, None, None),
        (none_of(UNMET, MET), "conditions[1]", MET, Decimal("59.80")),
        (all_of(any_of()), "conditions[0].conditions", None, MISSING),
        (all_of(none_of()), None, None, None),
        (all_of(MET, any_of(UNMET, none_of(UNMET))), None, None, None),
        (
            all_of(MET, any_of(UNMET, none_of(MET))),
            "conditions[1].conditions[0]",
            UNMET,
            Decimal("59.80"),
        ),
        (none_of(all_of(MET, MET)), "conditions[0]", None, MISSING),
        (none_of(all_of(MET, UNMET)), None, None, None),
        (
            all_of(all_of(asks("user.walletAddress", Operator.EXISTS))),
            "conditions[0].conditions[0]",
            asks("user.walletAddress", Operator.EXISTS),
            None,
        ),
    ],
)
def test_what_was_not_met_is_named_with_what_it_saw(
    group: ConditionGroup, path: str | None, condition: Condition | None, saw: object
) -> None:
    """A merchant who asks why nobody was paid would be told of a condition that was met, or
    nothing at all.
    """
    failure = first_failure(group, CONTEXT)

    if path is None:
        assert failure is None
    else:
        assert failure is not None
        assert (failure.path, failure.condition, failure.saw) == (path, condition, saw)


def meets(group: ConditionGroup, context: Mapping[str, Any]) -> bool:
    """What groups mean, said once more and plainly."""
    answers = [
        meets(member, context)
        if isinstance(member, ConditionGroup)
        else is_met(member, resolve(context, member.field))
        for member in group.members
    ]
    match group.logic:
        case Logic.ALL:
            return all(answers)
        case Logic.ANY:
            return any(answers)
        case Logic.NONE:
            return not any(answers)


@given(groups())
def test_a_group_fails_exactly_when_it_is_not_met(group: ConditionGroup) -> None:
    """A rule would pay, and its record say that it did not match; or the other way round."""
    assert (first_failure(group, CONTEXT) is None) is meets(group, CONTEXT)


@given(groups())
def test_every_failure_can_be_kept(group: ConditionGroup) -> None:
    """A condition about a whole list would leave its event undecided for ever: the record of
    the decision could not be written.
    """
    failure = first_failure(group, CONTEXT)
    if failure is not None:
        assert orjson.loads(orjson.dumps(failure.to_document()))["path"] == failure.path


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (
            asks("purchase.amount", Operator.GT, Decimal(60)),
            {"operator": "gt", "expected": "60", "saw": "59.80"},
        ),
        (
            asks("purchase.amount", Operator.BETWEEN, Decimal(60), "70"),
            {"operator": "between", "expected": "60", "expected_to": "70", "saw": "59.80"},
        ),
        (
            asks("purchase.orderId", Operator.IN, ("B", Decimal("1.50"))),
            {"operator": "in", "expected": ["B", "1.50"], "saw": "A-1001"},
        ),
        (
            asks("attribution.source", Operator.EXISTS),
            {"operator": "exists", "expected": None, "saw": {"missing": True}},
        ),
        (
            asks("user.walletAddress", Operator.EXISTS),
            {"operator": "exists", "expected": None, "saw": None},
        ),
        (
            asks("purchase.items", Operator.NOT_EXISTS),
            {
                "operator": "not_exists",
                "expected": None,
                "saw": [
                    {"name": "blue mug", "quantity": "2"},
                    {"name": "red mug", "quantity": "1"},
                ],
            },
        ),
    ],
)
def test_a_failure_is_told_with_numbers_as_text(
    condition: Condition, told: dict[str, object]
) -> None:
    """A merchant would read a rounded amount, or could not tell null from missing."""
    failure = first_failure(all_of(condition), CONTEXT)

    assert failure is not None
    assert failure.to_document() == {
        "path": "conditions[0]",
        "logic": "all",
        "field": condition.field,
        **told,
    }


def test_a_group_s_failure_names_its_logic_alone() -> None:
    """An empty choice would be told as a condition that nobody wrote."""
    failure = first_failure(any_of(), CONTEXT)

    assert failure is not None
    assert failure.to_document() == {"path": "conditions", "logic": "any"}


@pytest.mark.parametrize(("count", "kept", "told"), [(20, 20, None), (21, 20, 21)])
def test_a_failure_keeps_the_begin_of_a_long_list(count: int, kept: int, told: int | None) -> None:
    """Every order that did not match would store all that the merchant lists."""
    question = asks("purchase.orderId", Operator.IN, tuple(f"A-{n}" for n in range(count)))
    failure = first_failure(all_of(question), {"purchase": {"orderId": "B-1"}})

    assert failure is not None
    document = failure.to_document()
    assert document["expected"] == [f"A-{n}" for n in range(kept)]
    assert document.get("expected_count") == told
