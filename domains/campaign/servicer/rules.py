"""Rules, between the contract and the model."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from google.protobuf import struct_pb2

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model import (
    Asset,
    Chaining,
    Condition,
    ConditionGroup,
    FixedAmount,
    Logic,
    Operator,
    PercentageAmount,
    PercentOf,
    Recipient,
    RewardDefinition,
    Rule,
    Trigger,
)
from domains.campaign.model.checking import CONDITIONS
from domains.campaign.model.fields import PRESENCE
from domains.campaign.model.rule import DEPTH_DEFAULT, Operand, Scalar
from guerdon.campaign.v1 import rule_pb2
from guerdon.type.v1 import money_pb2
from infrastructure.rpc.translating import number_of, word_of
from vocabulary.exact import plain
from vocabulary.problems import Problems


def to_rule(message: rule_pb2.Rule, problems: Problems) -> Rule:
    """The rule. The contract's own rules hold; `check_rule` knows the rest.

    Adds to the problems each value that is null, an object, or a list in a list.
    """
    return Rule(
        trigger=word_of(message.trigger, Trigger, rule_pb2.Trigger),
        conditions=_to_group(message.conditions, CONDITIONS, problems),
        rewards=tuple(_to_reward(reward) for reward in message.rewards),
    )


def from_rule(rule: Rule) -> rule_pb2.Rule:
    """The contract's message for a rule. Numbers come back as text."""
    return rule_pb2.Rule(
        trigger=number_of(rule.trigger, rule_pb2.Trigger),
        conditions=_from_group(rule.conditions),
        rewards=[_from_reward(reward) for reward in rule.rewards],
    )


def to_asset(number: money_pb2.Asset.ValueType) -> Asset:
    """The asset; the merchant's token when none is said."""
    return word_of(number, Asset, money_pb2.Asset, Asset.TOKEN)


def _to_group(message: rule_pb2.ConditionGroup, path: str, problems: Problems) -> ConditionGroup:
    return ConditionGroup(
        logic=word_of(message.logic, Logic, rule_pb2.Logic, Logic.ALL),
        members=tuple(
            _to_group(node.group, f"{path}.conditions[{index}].group", problems)
            if node.WhichOneof("node") == "group"
            else _to_condition(node.condition, f"{path}.conditions[{index}].condition", problems)
            for index, node in enumerate(message.conditions)
        ),
    )


def _to_condition(message: rule_pb2.Condition, path: str, problems: Problems) -> Condition:
    operator = word_of(message.operator, Operator, rule_pb2.Operator)
    # Null is how some programs leave a value out.
    is_without = operator in PRESENCE
    value = value_to = None
    with problems.collecting():
        value = _to_operand(message, "value", path, is_null_left_out=is_without)
    with problems.collecting():
        value_to = _to_operand(message, "value_to", path, is_null_left_out=True)
    return Condition(field=message.field, operator=operator, value=value, value_to=value_to)


def _from_group(group: ConditionGroup) -> rule_pb2.ConditionGroup:
    return rule_pb2.ConditionGroup(
        logic=number_of(group.logic, rule_pb2.Logic),
        conditions=[
            rule_pb2.ConditionNode(group=_from_group(member))
            if isinstance(member, ConditionGroup)
            else rule_pb2.ConditionNode(condition=_from_condition(member))
            for member in group.members
        ],
    )


def _from_condition(condition: Condition) -> rule_pb2.Condition:
    message = rule_pb2.Condition(
        field=condition.field, operator=number_of(condition.operator, rule_pb2.Operator)
    )
    if condition.operator not in {Operator.EXISTS, Operator.NOT_EXISTS}:
        message.value.CopyFrom(_from_operand(condition.value))
    if condition.operator is Operator.BETWEEN:
        message.value_to.CopyFrom(_from_operand(condition.value_to))
    return message


def _to_operand(
    message: rule_pb2.Condition,
    name: Literal["value", "value_to"],
    path: str,
    *,
    is_null_left_out: bool,
) -> Any:
    """The value of a condition's field; None if it is left out."""
    if not message.HasField(name):
        return None
    value: struct_pb2.Value = getattr(message, name)
    here = f"{path}.{name}"
    if value.WhichOneof("kind") == "null_value" and is_null_left_out:
        return None
    if value.WhichOneof("kind") == "list_value" and name == "value":
        return tuple(
            _to_scalar(each, f"{here}[{index}]")
            for index, each in enumerate(value.list_value.values)
        )
    return _to_scalar(value, here)


def _to_scalar(value: struct_pb2.Value, path: str) -> Scalar:
    match value.WhichOneof("kind"):
        case "number_value":
            # The shortest decimal that reads back as this number is the one that was sent.
            return Decimal(repr(value.number_value))
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            raise RuleInvalidError(path, "must be one value, not a list")
        case "struct_value":
            raise RuleInvalidError(path, "must be a text or a number, not an object")
        case _:
            raise RuleInvalidError(
                path, "must not be null; whether a field is there is asked by OPERATOR_EXISTS"
            )


def _from_operand(value: Operand) -> struct_pb2.Value:
    match value:
        case tuple():
            return struct_pb2.Value(
                list_value=struct_pb2.ListValue(values=[_from_operand(each) for each in value])
            )
        case bool():
            return struct_pb2.Value(bool_value=value)
        case Decimal():
            return struct_pb2.Value(string_value=format(value, "f"))
        case str():
            return struct_pb2.Value(string_value=value)
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)


def _to_reward(message: rule_pb2.Reward) -> RewardDefinition:
    return RewardDefinition(
        recipient=word_of(message.recipient, Recipient, rule_pb2.Recipient),
        asset=to_asset(message.asset),
        amount=_to_amount(message),
        chaining=_to_chaining(message.chaining) if message.HasField("chaining") else None,
        description=message.description,
    )


def _to_amount(message: rule_pb2.Reward) -> FixedAmount | PercentageAmount:
    if message.WhichOneof("amount") == "fixed":
        return FixedAmount(amount=Decimal(message.fixed.amount))
    part = message.percentage
    return PercentageAmount(
        percent=Decimal(part.percent),
        percent_of=word_of(
            part.percent_of, PercentOf, rule_pb2.PercentOf, PercentOf.PURCHASE_AMOUNT
        ),
        amount_max=Decimal(part.amount_max) if part.amount_max else None,
        amount_min=Decimal(part.amount_min) if part.amount_min else None,
    )


def _to_chaining(message: rule_pb2.Chaining) -> Chaining:
    return Chaining(
        user_percent=Decimal(message.user_percent or 0),
        level_percent=Decimal(message.level_percent),
        depth_max=message.depth_max or DEPTH_DEFAULT,
    )


def _from_reward(reward: RewardDefinition) -> rule_pb2.Reward:
    message = rule_pb2.Reward(
        recipient=number_of(reward.recipient, rule_pb2.Recipient),
        asset=number_of(reward.asset, money_pb2.Asset),
        description=reward.description,
    )
    match reward.amount:
        case FixedAmount(amount=amount):
            message.fixed.amount = plain(amount)
        case PercentageAmount() as part:
            message.percentage.CopyFrom(
                rule_pb2.PercentageAmount(
                    percent=plain(part.percent),
                    percent_of=number_of(part.percent_of, rule_pb2.PercentOf),
                    amount_max="" if part.amount_max is None else plain(part.amount_max),
                    amount_min="" if part.amount_min is None else plain(part.amount_min),
                )
            )
    if reward.chaining is not None:
        message.chaining.CopyFrom(
            rule_pb2.Chaining(
                user_percent=plain(reward.chaining.user_percent),
                level_percent=plain(reward.chaining.level_percent),
                depth_max=reward.chaining.depth_max,
            )
        )
    return message
