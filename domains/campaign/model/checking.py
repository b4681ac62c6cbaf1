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
from vocabulary.problems import Problems
from vocabulary.time_zones import is_time_zone

CONDITIONS = "campaign.rule.conditions"
_HUNDRED = Decimal(100)


def check_rule(rule: Rule, units: RewardUnits, problems: Problems | None = None) -> Rule:
    """The rule as it is saved. Checked again, it is the same.

    Adds to the problems why it could never do what it says.

    Raises:
        RuleInvalidError: the same, if there are no problems to add to.
    """
    found = Problems() if problems is None else problems
    conditions = to_forms(rule.conditions, CONDITIONS, rule.trigger, found)
    for index, reward in enumerate(rule.rewards):
        _check_reward(reward, f"campaign.rule.rewards[{index}]", rule, units, found)
    if problems is None:
        found.refuse()
    return replace(rule, conditions=conditions)


def check_budget(budget: Sequence[BudgetItem], problems: Problems | None = None) -> None:
    """Adds to the problems that items cannot be told apart, or that their zones do not exist.

    Raises:
        RuleInvalidError: the same, if there are no problems to add to.
    """
    found = Problems() if problems is None else problems
    seen: set[str] = set()
    for index, item in enumerate(budget):
        path = f"campaign.budget.items[{index}]"
        if item.label in seen:
            found.add(
                RuleInvalidError(
                    f"{path}.label", "must be another label than that of every other item"
                )
            )
        seen.add(item.label)
        if item.limit == 0:
            found.add(RuleInvalidError(f"{path}.amount", "must be more than zero"))
        if isinstance(item.window, CalendarMonths) and not is_time_zone(item.window.time_zone):
            found.add(
                RuleInvalidError(
                    f"{path}.calendar_month.time_zone",
                    "must be the name of a time zone, like Europe/Paris",
                )
            )
    if problems is None:
        found.refuse()


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


def _check_reward(
    reward: RewardDefinition, path: str, rule: Rule, units: RewardUnits, problems: Problems
) -> None:
    unit = units.of(reward.asset)
    match reward.amount:
        case FixedAmount(amount=amount):
            with problems.collecting():
                _check_positive(amount, unit, f"{path}.fixed.amount", "must be more than zero")
        case PercentageAmount() as part:
            _check_percentage(part, f"{path}.percentage", unit, rule, problems)
    if reward.chaining is not None:
        if reward.recipient is not Recipient.REFERRER:
            problems.add(
                RuleInvalidError(
                    f"{path}.chaining", "must be left out unless the recipient is the referrer"
                )
            )
        _check_chaining(reward.chaining, f"{path}.chaining", problems)


def _check_percentage(
    part: PercentageAmount, path: str, unit: Unit, rule: Rule, problems: Problems
) -> None:
    if not rule.trigger.has_purchase:
        problems.add(
            RuleInvalidError(path, "the trigger's event has no purchase to take a part of")
        )
    if not 0 < part.percent <= _HUNDRED:
        problems.add(RuleInvalidError(f"{path}.percent", "must be above 0 and at most 100"))
    for name in ("amount_max", "amount_min"):
        limit = getattr(part, name)
        if limit is not None:
            with problems.collecting():
                _check_positive(
                    limit, unit, f"{path}.{name}", "must be more than zero, or left out"
                )


def _check_positive(amount: Decimal, unit: Unit, path: str, problem: str) -> None:
    if to_base_units(amount, unit, path) == 0:
        raise RuleInvalidError(path, problem)


def _check_chaining(chaining: Chaining, path: str, problems: Problems) -> None:
    for name in ("user_percent", "level_percent"):
        percent: Decimal = getattr(chaining, name)
        if not 0 <= percent <= _HUNDRED or -percent.as_tuple().exponent > PERCENT_SCALE:  # type: ignore[operator]  # finite
            problems.add(
                RuleInvalidError(f"{path}.{name}", "must be from 0 to 100, with at most 6 decimals")
            )
