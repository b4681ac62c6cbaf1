"""Conditions as they are saved: each value in the one form of its field's type, none in vain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model.fields import (
    LISTED,
    ORDERING,
    PRESENCE,
    EventField,
    FieldType,
    field_at,
)
from domains.campaign.model.rule import (
    Condition,
    ConditionGroup,
    Logic,
    Operand,
    Operator,
    Scalar,
    Trigger,
    conditions_of,
)
from domains.campaign.model.satisfiability import outcomes
from domains.campaign.model.values import ValueRefusedError, to_form
from vocabulary.nobody import is_absent
from vocabulary.problems import Problems

DEPTH_MAX = 8
CONDITIONS_MAX = 200
LIST_MAX = 1_000
SHOWN_CHARACTERS_MAX = 40
"""How much of a value a refusal shows."""

VALUES_MAX = 5_000
"""How many values all lists of a rule have: whoever decides events reads all of them each time."""


def to_forms(
    group: ConditionGroup, path: str, trigger: Trigger, problems: Problems
) -> ConditionGroup:
    """The conditions in the form in which they are saved; of that form, it is themselves.

    Adds to the problems what is no question about an event; else, of what no event, or every
    event, is like. What is blamed already is not looked at.
    """
    before = len(problems)
    with problems.collecting():
        _check_size(group, path)
        formed = _group(group, path, trigger, problems)
        if len(problems) == before and not problems.blames_inside(path):
            _check_all_possible(formed, path, trigger, problems)
        return formed
    return group


def _check_size(group: ConditionGroup, path: str) -> None:
    _check_depth(group, path, 1)
    if len(list(conditions_of(group, path))) > CONDITIONS_MAX:
        raise RuleInvalidError(path, f"must not have more than {CONDITIONS_MAX} conditions")
    value_count = sum(
        len(each.value) for _, each in conditions_of(group, path) if isinstance(each.value, tuple)
    )
    if value_count > VALUES_MAX:
        raise RuleInvalidError(
            path,
            f"must not have more than {VALUES_MAX} values in all its lists; these have"
            f" {value_count}",
        )


def _check_all_possible(
    formed: ConditionGroup, path: str, trigger: Trigger, problems: Problems
) -> None:
    before = len(problems)
    for place, condition in conditions_of(formed, f"{path}.conditions"):
        with problems.collecting():
            _check_possible(ConditionGroup(members=(condition,)), place, trigger)
    # What holds for no event makes its group hold for none: that is told once.
    if len(problems) > before:
        return
    _check_groups(formed, path, trigger)
    # A rule without conditions is met by every event, and is meant to be.
    if formed.members or formed.logic is Logic.ANY:
        _check_possible(formed, path, trigger)


def _check_depth(group: ConditionGroup, path: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise RuleInvalidError(path, f"must not be nested more than {DEPTH_MAX} deep")
    for index, member in enumerate(group.members):
        if isinstance(member, ConditionGroup):
            _check_depth(member, f"{path}.conditions[{index}].group", depth + 1)


def _check_groups(group: ConditionGroup, path: str, trigger: Trigger) -> None:
    """The groups in a group, the innermost first: each says something."""
    for index, member in enumerate(group.members):
        if isinstance(member, ConditionGroup):
            inner = f"{path}.conditions[{index}].group"
            if not member.members:
                raise RuleInvalidError(inner, "has no conditions: leave it out")
            _check_groups(member, inner, trigger)
            _check_possible(member, inner, trigger)


def _check_possible(group: ConditionGroup, path: str, trigger: Trigger) -> None:
    possible = outcomes(group, trigger)
    if True not in possible:
        raise RuleInvalidError(path, "can never hold: no event is like that")
    if False not in possible:
        raise RuleInvalidError(path, "holds for every event: leave it out")


def _group(
    group: ConditionGroup, path: str, trigger: Trigger, problems: Problems
) -> ConditionGroup:
    def formed(member: Condition | ConditionGroup, here: str) -> Condition | ConditionGroup:
        if isinstance(member, ConditionGroup):
            return _group(member, f"{here}.group", trigger, problems)
        place = f"{here}.condition"
        if not problems.blames_inside(place):
            with problems.collecting():
                return _condition(member, place, trigger)
        return member

    return replace(
        group,
        members=tuple(
            formed(member, f"{path}.conditions[{index}]")
            for index, member in enumerate(group.members)
        ),
    )


def _condition(condition: Condition, path: str, trigger: Trigger) -> Condition:
    known = _field_of(condition, path, trigger)
    operator = condition.operator
    if operator not in known.type.operators:
        raise RuleInvalidError(f"{path}.operator", _no_question(known))
    _check_operands(condition, path)
    if operator in PRESENCE:
        return condition
    if known.type is FieldType.TEXT and operator in ORDERING:
        _check_no_numbers(condition, path)
    value = _operand(known, condition.value, f"{path}.value")
    if operator is not Operator.BETWEEN:
        return replace(condition, value=value)
    value_to = _operand(known, condition.value_to, f"{path}.value_to")
    assert not isinstance(value_to, tuple), path
    _check_range(value, value_to, known, path)
    return replace(condition, value=value, value_to=value_to)


def _check_text(text: str, known: EventField, path: str) -> None:
    """A text that the field can be: one that is empty is missing."""
    if not text or (known.names_something and is_absent(text)):
        raise RuleInvalidError(
            path,
            f"must not be {_cut(text) or 'empty'}: {known.path} never is. Whether it is missing is "
            "asked by OPERATOR_EXISTS and OPERATOR_NOT_EXISTS",
        )
    if len(text) > known.characters_max:
        raise RuleInvalidError(
            path,
            f"must not be longer than {known.characters_max} characters: {known.path} never is",
        )


def _check_no_numbers(condition: Condition, path: str) -> None:
    for name, value in (("value", condition.value), ("value_to", condition.value_to)):
        if isinstance(value, Decimal):
            raise RuleInvalidError(
                f"{path}.{name}",
                f"is {_plain(value)}: it must be a text, because texts come one after the other by"
                ' their characters, "1000" before "999"',
            )


def _field_of(condition: Condition, path: str, trigger: Trigger) -> EventField:
    known = field_at(condition.field)
    if known is None:
        raise RuleInvalidError(
            f"{path}.field",
            f"{condition.field} is no field of an event; docs/rules.md lists them",
        )
    if known.of_purchase and not trigger.has_purchase:
        raise RuleInvalidError(f"{path}.field", "the trigger's event has no purchase")
    return known


def _no_question(known: EventField) -> str:
    if known.type is FieldType.LIST:
        return f"{known.path} is a list; ask about its length or its members"
    allowed = ", ".join(_name(each) for each in Operator if each in known.type.operators)
    return f"{known.path} is of the type {known.type} and cannot be asked that; ask {allowed}"


def _name(operator: Operator) -> str:
    return f"OPERATOR_{operator.name}"


def _check_operands(condition: Condition, path: str) -> None:
    fault = _fault_of_value(condition.operator, condition.value)
    if fault is not None:
        raise RuleInvalidError(f"{path}.value", fault)
    is_between = condition.operator is Operator.BETWEEN
    if is_between and condition.value_to is None:
        raise RuleInvalidError(f"{path}.value_to", "is missing: it is the upper end")
    if not is_between and condition.value_to is not None:
        raise RuleInvalidError(
            f"{path}.value_to", "must be left out for every operator but OPERATOR_BETWEEN"
        )


def _fault_of_value(operator: Operator, value: Operand) -> str | None:
    """What is wrong with how many values there are."""
    name = _name(operator)
    if operator in PRESENCE:
        return None if value is None else f"must be left out for {name}"
    if value is None:
        return f"is missing: {name} holds the field against it"
    if operator not in LISTED:
        return f"must not be a list for {name}" if isinstance(value, tuple) else None
    if not isinstance(value, tuple) or not value:
        return f"must be a list with members for {name}"
    if len(value) > LIST_MAX:
        return f"must not have more than {LIST_MAX} members"
    return None


def _operand(known: EventField, value: Operand, path: str) -> Operand:
    formed: Operand
    if isinstance(value, tuple):
        formed = tuple(
            _scalar(known.type, each, f"{path}[{index}]") for index, each in enumerate(value)
        )
    else:
        formed = _scalar(known.type, value, path)
    if known.type is FieldType.TEXT:
        for each in formed if isinstance(formed, tuple) else (formed,):
            _check_text(str(each), known, path)
    return formed


def _scalar(kind: FieldType, value: Scalar, path: str) -> Scalar:
    try:
        return to_form(kind, value)
    except ValueRefusedError as refused:
        raise RuleInvalidError(path, f"is {_shown(value)}: it {refused}") from None


def _shown(value: Scalar) -> str:
    """A value as it was sent, cut."""
    return _cut(f'"{value}"' if isinstance(value, str) else _plain(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "g") if isinstance(value, Decimal) else "null"


def _check_range(low: Any, high: Any, known: EventField, path: str) -> None:
    """Two values of one type, so that they compare."""
    if low > high:
        over_midnight = known.type in {FieldType.HOUR, FieldType.DAY}
        hint = (
            ". For a stretch over midnight or the end of a week, ask for one of two stretches with"
            " LOGIC_ANY"
        )
        raise RuleInvalidError(
            f"{path}.value_to",
            f"must not come before the lower end{hint if over_midnight else ''}",
        )
