"""Whether an event meets a rule's conditions, and which one it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domains.campaign.model.comparing import MISSING, Missing, compare, is_equal
from domains.campaign.model.rule import Condition, ConditionGroup, Logic, Operator

SHOWN_MAX = 20
"""How many values of a list a decision keeps: the rule's version has all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What kept a rule from matching: a condition with the value it saw, or a whole group."""

    path: str
    condition: Condition | None
    logic: Logic
    saw: object

    def to_document(self) -> dict[str, object]:
        document: dict[str, object] = {"path": self.path, "logic": self.logic.value}
        if self.condition is not None:
            document |= {
                "field": self.condition.field,
                "operator": self.condition.operator.value,
                "expected": shown(self.condition.value),
                "saw": shown(self.saw),
            }
            value = self.condition.value
            if isinstance(value, tuple) and len(value) > SHOWN_MAX:
                document["expected"] = shown(value[:SHOWN_MAX])
                document["expected_count"] = len(value)
            if self.condition.operator is Operator.BETWEEN:
                document["expected_to"] = shown(self.condition.value_to)
        return document


def shown(value: object) -> object:
    """A value as it is kept in a decision: numbers as text, so that none is rounded."""
    match value:
        case Missing():
            return {"missing": True}
        case Decimal():
            return format(value, "f")
        case tuple() | list():
            return [shown(each) for each in value]
        case Mapping():
            return {key: shown(each) for key, each in value.items()}
        case _:
            return value


def resolve(context: Mapping[str, Any], path: str) -> object:
    """What a dotted path leads to. Numbers step into lists; `length` is a list's length."""
    current: object = context
    for part in path.split("."):
        if isinstance(current, Mapping):
            current = current.get(part, MISSING)
        elif isinstance(current, (list, tuple)) and part == "length":
            current = Decimal(len(current))
        elif isinstance(current, (list, tuple)) and part.isdecimal():
            current = current[int(part)] if int(part) < len(current) else MISSING
        else:
            return MISSING
    return current


def first_failure(
    group: ConditionGroup, context: Mapping[str, Any], path: str = "conditions"
) -> Failure | None:
    """The first reason for which a group is not met, or None when it is."""
    match group.logic:
        case Logic.ALL:
            for index, member in enumerate(group.members):
                failed = _failure(member, context, f"{path}[{index}]", Logic.ALL)
                if failed is not None:
                    return failed
            return None
        case Logic.ANY:
            first: Failure | None = None
            for index, member in enumerate(group.members):
                failed = _failure(member, context, f"{path}[{index}]", Logic.ANY)
                if failed is None:
                    return None
                first = first or failed
            return first or Failure(path=path, condition=None, logic=Logic.ANY, saw=MISSING)
        case Logic.NONE:
            for index, member in enumerate(group.members):
                here = f"{path}[{index}]"
                if _failure(member, context, here, Logic.NONE) is None:
                    met = member if isinstance(member, Condition) else None
                    saw = resolve(context, met.field) if met else MISSING
                    return Failure(path=here, condition=met, logic=Logic.NONE, saw=saw)
            return None


def _failure(
    member: Condition | ConditionGroup, context: Mapping[str, Any], path: str, logic: Logic
) -> Failure | None:
    if isinstance(member, ConditionGroup):
        return first_failure(member, context, f"{path}.conditions")
    saw = resolve(context, member.field)
    if is_met(member, saw):
        return None
    return Failure(path=path, condition=member, logic=logic, saw=saw)


def is_met(condition: Condition, saw: object) -> bool:  # noqa: C901, PLR0911 - a line an operator
    """Whether a field's value answers the question with yes."""
    value = condition.value
    match condition.operator:
        case Operator.EXISTS:
            return saw is not MISSING and saw is not None
        case Operator.NOT_EXISTS:
            return saw is MISSING or saw is None
        case Operator.EQ:
            return is_equal(saw, value)
        case Operator.NEQ:
            return not is_equal(saw, value)
        case Operator.IN:
            return saw in condition.choices
        case Operator.NOT_IN:
            return isinstance(value, tuple) and saw not in condition.choices
        case Operator.CONTAINS:
            if isinstance(saw, (list, tuple)):
                return any(is_equal(each, value) for each in saw)
            return isinstance(saw, str) and isinstance(value, str) and value in saw
        case Operator.STARTS_WITH:
            return isinstance(saw, str) and isinstance(value, str) and saw.startswith(value)
        case Operator.ENDS_WITH:
            return isinstance(saw, str) and isinstance(value, str) and saw.endswith(value)
        case _:
            return _is_ordered(condition, saw)


def _is_ordered(condition: Condition, saw: object) -> bool:
    low = compare(saw, condition.value)
    if low is None:
        return False
    match condition.operator:
        case Operator.GT:
            return low > 0
        case Operator.GTE:
            return low >= 0
        case Operator.LT:
            return low < 0
        case Operator.LTE:
            return low <= 0
        case Operator.BETWEEN:
            high = compare(saw, condition.value_to)
            return high is not None and low >= 0 and high <= 0
        case _:
            raise AssertionError(condition.operator)
