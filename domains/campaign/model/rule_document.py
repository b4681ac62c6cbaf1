"""A rule as it is stored: a JSON document in which every number is text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from domains.campaign.model.rule import (
    Asset,
    Chaining,
    Condition,
    ConditionGroup,
    FixedAmount,
    Logic,
    Operand,
    Operator,
    PercentageAmount,
    PercentOf,
    Recipient,
    RewardDefinition,
    RewardUnits,
    Rule,
    Scalar,
    Trigger,
)
from vocabulary.amounts import Unit
from vocabulary.ids import CampaignId

Document = dict[str, Any]


class RuleUnreadableError(Exception):
    """A rule is stored in a form that this version cannot read: a newer one's, or a broken one."""

    def __init__(self, campaign_id: CampaignId, version: int) -> None:
        super().__init__(f"rule version {version} of campaign {campaign_id} cannot be read")
        self.campaign_id = campaign_id
        self.version = version


def read_stored(
    document: Document, *, campaign_id: CampaignId, version: int
) -> tuple[Rule, RewardUnits]:
    """As `from_document`, of what is stored.

    Raises:
        RuleUnreadableError: whatever is wrong with it.
    """
    try:
        return from_document(document)
    # Of a document that anybody may have written nothing is known.
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as problem:
        raise RuleUnreadableError(campaign_id, version) from problem


def to_document(rule: Rule, units: RewardUnits) -> Document:
    """The rule, and in what it pays."""
    return {
        "trigger": rule.trigger.value,
        "conditions": _group(rule.conditions),
        "rewards": [_reward(reward) for reward in rule.rewards],
        "units": {
            "token": units.token.key,
            "decimals": units.token.decimals,
            "peg_currency": units.peg_currency,
        },
    }


def from_document(document: Document) -> tuple[Rule, RewardUnits]:
    """What `to_document` stored."""
    units = document["units"]
    rule = Rule(
        trigger=Trigger(document["trigger"]),
        conditions=_read_group(document["conditions"]),
        rewards=tuple(_read_reward(reward) for reward in document["rewards"]),
    )
    return rule, RewardUnits(
        token=Unit(key=units["token"], decimals=units["decimals"]),
        peg_currency=units["peg_currency"],
    )


def _group(group: ConditionGroup) -> Document:
    return {
        "logic": group.logic.value,
        "members": [
            {"group": _group(member)}
            if isinstance(member, ConditionGroup)
            else {
                "field": member.field,
                "operator": member.operator.value,
                "value": _operand(member.value),
                "value_to": _operand(member.value_to),
            }
            for member in group.members
        ],
    }


def _read_group(document: Document) -> ConditionGroup:
    return ConditionGroup(
        logic=Logic(document["logic"]),
        members=tuple(
            _read_group(member["group"])
            if "group" in member
            else Condition(
                field=member["field"],
                operator=Operator(member["operator"]),
                value=_read_operand(member["value"]),
                value_to=_read_scalar(member["value_to"]),
            )
            for member in document["members"]
        ),
    )


def _operand(value: Operand) -> Any:
    if isinstance(value, tuple):
        return [_operand(each) for each in value]
    return {"number": format(value, "f")} if isinstance(value, Decimal) else value


def _read_operand(value: Any) -> Operand:
    if isinstance(value, list):
        return tuple(_read_scalar(each) for each in value)
    return _read_scalar(value)


def _read_scalar(value: Any) -> Scalar:
    if isinstance(value, dict):
        return Decimal(value["number"])
    scalar: Scalar = value
    return scalar


def _reward(reward: RewardDefinition) -> Document:
    document: Document = {
        "recipient": reward.recipient.value,
        "asset": reward.asset.value,
        "description": reward.description,
    }
    match reward.amount:
        case FixedAmount(amount=amount):
            document["fixed"] = format(amount, "f")
        case PercentageAmount() as part:
            document["percentage"] = {
                "percent": format(part.percent, "f"),
                "percent_of": part.percent_of.value,
                "amount_max": _text(part.amount_max),
                "amount_min": _text(part.amount_min),
            }
    if reward.chaining is not None:
        document["chaining"] = {
            "user_percent": format(reward.chaining.user_percent, "f"),
            "level_percent": format(reward.chaining.level_percent, "f"),
            "depth_max": reward.chaining.depth_max,
        }
    return document


def _read_reward(document: Document) -> RewardDefinition:
    amount: FixedAmount | PercentageAmount
    if "fixed" in document:
        amount = FixedAmount(amount=Decimal(document["fixed"]))
    else:
        part = document["percentage"]
        amount = PercentageAmount(
            percent=Decimal(part["percent"]),
            percent_of=PercentOf(part["percent_of"]),
            amount_max=_number(part["amount_max"]),
            amount_min=_number(part["amount_min"]),
        )
    chaining = document.get("chaining")
    return RewardDefinition(
        recipient=Recipient(document["recipient"]),
        asset=Asset(document["asset"]),
        amount=amount,
        description=document["description"],
        chaining=Chaining(
            user_percent=Decimal(chaining["user_percent"]),
            level_percent=Decimal(chaining["level_percent"]),
            depth_max=chaining["depth_max"],
        )
        if chaining
        else None,
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
