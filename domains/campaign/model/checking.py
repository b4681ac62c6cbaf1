"""Holds a campaign against what its contract cannot state, before it is saved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model.amount import PERCENT_SCALE
from domains.campaign.model.budget import BudgetItem, CalendarMonths
from domains.campaign.model.condition import to_number
from domains.campaign.model.rule import (
    Chaining,
    Condition,
    ConditionGroup,
    FixedAmount,
    Operator,
    PercentageAmount,
    Recipient,
    RewardDefinition,
    RewardUnits,
    Rule,
    conditions_of,
)
from vocabulary.amounts import Unit

CONDITION_DEPTH_MAX = 8
CONDITIONS_MAX = 200
_HUNDRED = Decimal(100)


class FieldKind(StrEnum):
    """What a field of an event holds."""

    NUMBER = "number"
    TEXT = "text"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventField:
    """A path that conditions may ask about. `N` stands for the number of a line, from 0."""

    path: str
    kind: FieldKind

    def matches(self, path: str) -> bool:
        pattern = re.escape(self.path).replace("N", r"(0|[1-9][0-9]{0,3})")
        return re.fullmatch(pattern, path) is not None


EVENT_FIELDS = tuple(
    EventField(path=path, kind=kind)
    for kind, paths in {
        FieldKind.NUMBER: (
            "purchase.amount",
            "purchase.subtotal",
            "purchase.items.length",
            "purchase.items.N.quantity",
            "purchase.items.N.unitPrice",
            "purchase.items.N.totalPrice",
            "time.dayOfWeek",
            "time.hourOfDay",
            "time.timestamp",
        ),
        FieldKind.TEXT: (
            "purchase.orderId",
            "purchase.currency",
            "purchase.items.N.productId",
            "purchase.items.N.name",
            "attribution.source",
            "attribution.touchpointId",
            "attribution.referrerIdentityGroupId",
            "attribution.utmSource",
            "attribution.utmMedium",
            "attribution.utmCampaign",
            "attribution.utmTerm",
            "attribution.utmContent",
            "user.identityGroupId",
            "user.walletAddress",
            "time.date",
        ),
        FieldKind.LIST: ("purchase.items",),
    }.items()
    for path in paths
)
"""Every path that an event can have. Rules may ask about these and no others."""

_WITHOUT_VALUE = {Operator.EXISTS, Operator.NOT_EXISTS}
_LISTS = {Operator.IN, Operator.NOT_IN}
_ORDERINGS = {Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.BETWEEN}
_TEXTUAL = {Operator.STARTS_WITH, Operator.ENDS_WITH}


def check_rule(rule: Rule, units: RewardUnits) -> None:
    """Refuses a rule that could never do what it says.

    Raises:
        RuleInvalidError: names the path and the problem.
    """
    _check_depth(rule.conditions, "campaign.rule.conditions", 1)
    conditions = list(conditions_of(rule.conditions, "campaign.rule.conditions.conditions"))
    if len(conditions) > CONDITIONS_MAX:
        raise RuleInvalidError(
            "campaign.rule.conditions", f"must not have more than {CONDITIONS_MAX} conditions"
        )
    for path, condition in conditions:
        _check_condition(condition, path, has_purchase=rule.trigger.has_purchase)
    for index, reward in enumerate(rule.rewards):
        _check_reward(reward, f"campaign.rule.rewards[{index}]", rule, units)


def check_budget(budget: Sequence[BudgetItem]) -> None:
    """Refuses a budget whose items cannot be told apart or whose zones do not exist.

    Raises:
        RuleInvalidError: names the path and the problem.
    """
    seen: set[str] = set()
    for index, item in enumerate(budget):
        path = f"campaign.budget.items[{index}]"
        if item.label in seen:
            raise RuleInvalidError(
                f"{path}.label", "must be another label than that of every other item"
            )
        seen.add(item.label)
        if item.limit == 0:
            raise RuleInvalidError(f"{path}.amount", "must be more than zero")
        if isinstance(item.window, CalendarMonths):
            try:
                ZoneInfo(item.window.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise RuleInvalidError(
                    f"{path}.calendar_month.time_zone",
                    "must be the name of a time zone, like Europe/Paris",
                ) from None


def to_base_units(amount: Decimal, unit: Unit, path: str) -> int:
    """Base units of an amount in whole units.

    Raises:
        RuleInvalidError: the amount has more decimals than the unit, or is too large.
    """
    try:
        return unit.to_base_units(amount)
    except ValueError:
        raise RuleInvalidError(
            path,
            f"has more decimals than {unit.key}, which has {unit.decimals}, or is too large",
        ) from None


def _check_depth(group: ConditionGroup, path: str, depth: int) -> None:
    if depth > CONDITION_DEPTH_MAX:
        raise RuleInvalidError(path, f"must not be nested more than {CONDITION_DEPTH_MAX} deep")
    for index, member in enumerate(group.members):
        if isinstance(member, ConditionGroup):
            _check_depth(member, f"{path}.conditions[{index}].group", depth + 1)


def _check_condition(condition: Condition, path: str, *, has_purchase: bool) -> None:
    known = next((each for each in EVENT_FIELDS if each.matches(condition.field)), None)
    if known is None:
        raise RuleInvalidError(
            f"{path}.field",
            f"{condition.field} is no field of an event; docs/rules.md lists them",
        )
    if condition.field.startswith("purchase.") and not has_purchase:
        raise RuleInvalidError(f"{path}.field", "the trigger's event has no purchase")
    _check_operands(condition, path)
    _check_numbers(condition, path)
    _check_kind(condition, known, path)


def _check_operands(condition: Condition, path: str) -> None:
    operator, value = condition.operator, condition.value
    if operator in _WITHOUT_VALUE and value is not None:
        raise RuleInvalidError(f"{path}.value", f"must be left out for the operator {operator}")
    if operator in _LISTS and not (isinstance(value, tuple) and value):
        raise RuleInvalidError(
            f"{path}.value", f"must be a list with members for the operator {operator}"
        )
    if operator not in _LISTS and isinstance(value, tuple):
        raise RuleInvalidError(f"{path}.value", f"must not be a list for the operator {operator}")
    if operator in _ORDERINGS and not isinstance(value, (Decimal, str)):
        raise RuleInvalidError(
            f"{path}.value", f"must be a number or a text for the operator {operator}"
        )
    if operator in _TEXTUAL and not isinstance(value, str):
        raise RuleInvalidError(f"{path}.value", f"must be a text for the operator {operator}")
    if operator is Operator.CONTAINS and not isinstance(value, (str, Decimal)):
        raise RuleInvalidError(
            f"{path}.value", f"must be a text or a number for the operator {operator}"
        )
    if operator is Operator.BETWEEN:
        if not isinstance(condition.value_to, (Decimal, str)):
            raise RuleInvalidError(f"{path}.value_to", "must be the upper end, a number or a text")
    elif condition.value_to is not None:
        raise RuleInvalidError(
            f"{path}.value_to", "must be left out for every operator but between"
        )


def _check_numbers(condition: Condition, path: str) -> None:
    for name, operand in (("value", condition.value), ("value_to", condition.value_to)):
        for each in operand if isinstance(operand, tuple) else (operand,):
            # One that is not a number, or has no end, compares with none.
            if isinstance(each, Decimal) and not each.is_finite():
                raise RuleInvalidError(f"{path}.{name}", "must be a finite number")


def _check_kind(condition: Condition, known: EventField, path: str) -> None:
    operator = condition.operator
    if known.kind is FieldKind.LIST and operator not in _WITHOUT_VALUE:
        raise RuleInvalidError(
            f"{path}.operator", f"{condition.field} is a list; ask about its length or its members"
        )
    if known.kind is not FieldKind.NUMBER or operator in _WITHOUT_VALUE:
        return
    if operator in {Operator.CONTAINS, *_TEXTUAL}:
        raise RuleInvalidError(f"{path}.operator", f"{condition.field} is a number")
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    for value in (*values, *([condition.value_to] if operator is Operator.BETWEEN else [])):
        if value is not None and to_number(value) is None:
            raise RuleInvalidError(f"{path}.value", f"{condition.field} is a number; send one")


def _check_reward(reward: RewardDefinition, path: str, rule: Rule, units: RewardUnits) -> None:
    unit = units.of(reward.asset)
    match reward.amount:
        case FixedAmount(amount=amount):
            if to_base_units(amount, unit, f"{path}.fixed.amount") == 0:
                raise RuleInvalidError(f"{path}.fixed.amount", "must be more than zero")
        case PercentageAmount() as amount:
            if not rule.trigger.has_purchase:
                raise RuleInvalidError(
                    f"{path}.percentage", "the trigger's event has no purchase to take a part of"
                )
            if not 0 < amount.percent <= _HUNDRED:
                raise RuleInvalidError(
                    f"{path}.percentage.percent", "must be above 0 and at most 100"
                )
            for name in ("amount_max", "amount_min"):
                limit = getattr(amount, name)
                if (
                    limit is not None
                    and to_base_units(limit, unit, f"{path}.percentage.{name}") == 0
                ):
                    raise RuleInvalidError(
                        f"{path}.percentage.{name}", "must be more than zero, or left out"
                    )
    if reward.chaining is not None:
        if reward.recipient is not Recipient.REFERRER:
            raise RuleInvalidError(
                f"{path}.chaining", "must be left out unless the recipient is the referrer"
            )
        _check_chaining(reward.chaining, f"{path}.chaining")


def _check_chaining(chaining: Chaining, path: str) -> None:
    for name in ("user_percent", "level_percent"):
        percent: Decimal = getattr(chaining, name)
        if not 0 <= percent <= _HUNDRED or -percent.as_tuple().exponent > PERCENT_SCALE:  # type: ignore[operator]  # finite
            raise RuleInvalidError(
                f"{path}.{name}", "must be from 0 to 100, with at most 6 decimals"
            )
