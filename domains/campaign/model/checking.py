"""Holds a campaign against what its contract cannot state, before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model.amount import PERCENT_SCALE
from domains.campaign.model.budget import BudgetItem, CalendarMonths
from domains.campaign.model.condition_forms import to_forms
from domains.campaign.model.rule import (
    Chaining,
    FixedAmount,
    PercentageAmount,
    Recipient,
    RewardDefinition,
    RewardUnits,
    Rule,
)
from vocabulary.amounts import Unit
from vocabulary.time_zones import is_time_zone

CONDITIONS = "campaign.rule.conditions"
_HUNDRED = Decimal(100)


def check_rule(rule: Rule, units: RewardUnits) -> Rule:
    """The rule as it is saved. Checked again, it is the same.

    Raises:
        RuleInvalidError: it could never do what it says; names the path and the problem.
    """
    conditions = to_forms(rule.conditions, CONDITIONS, rule.trigger)
    for index, reward in enumerate(rule.rewards):
        _check_reward(reward, f"campaign.rule.rewards[{index}]", rule, units)
    return replace(rule, conditions=conditions)


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
        if isinstance(item.window, CalendarMonths) and not is_time_zone(item.window.time_zone):
            raise RuleInvalidError(
                f"{path}.calendar_month.time_zone",
                "must be the name of a time zone, like Europe/Paris",
            )


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
