"""Rules, between the contract and the model."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from google.protobuf import struct_pb2

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
from domains.campaign.model.rule import DEPTH_DEFAULT, Operand, Scalar
from guerdon.campaign.v1 import rule_pb2
from guerdon.type.v1 import money_pb2
from vocabulary.exact import plain

Word = TypeVar("Word", bound=StrEnum)


class EnumNames(Protocol):
    """What generated code offers to name an enum's values."""

    def Name(self, number: Any) -> str:
        """The value's name."""

    def Value(self, name: str) -> Any:
        """The value's number."""


def word_of(number: int, words: type[Word], names: EnumNames, default: Word | None = None) -> Word:
    """The model's word for a value of the contract's enum: OPERATOR_NOT_IN is `not_in`."""
    if number == 0:
        assert default is not None, "required fields are checked before"
        return default
    return words(names.Name(number).removeprefix(_prefix(names)).lower())


def number_of(word: StrEnum, names: EnumNames) -> Any:
    """The contract's number for a word of the model."""
    return names.Value(_prefix(names) + word.value.upper())


def _prefix(names: EnumNames) -> str:
    return names.Name(0).removesuffix("UNSPECIFIED")


def to_asset(number: int) -> Asset:
    """The asset; the merchant's token when none is said."""
    return word_of(number, Asset, money_pb2.Asset, Asset.TOKEN)


def to_rule(message: rule_pb2.Rule) -> Rule:
    """The rule. The contract's own rules hold; `check_rule` knows the rest."""
    return Rule(
        trigger=word_of(message.trigger, Trigger, rule_pb2.Trigger),
        conditions=_to_group(message.conditions),
        rewards=tuple(_to_reward(reward) for reward in message.rewards),
    )


def from_rule(rule: Rule) -> rule_pb2.Rule:
    """The contract's message for a rule. Numbers come back as text."""
    return rule_pb2.Rule(
        trigger=number_of(rule.trigger, rule_pb2.Trigger),
        conditions=_from_group(rule.conditions),
        rewards=[_from_reward(reward) for reward in rule.rewards],
    )


def _to_group(message: rule_pb2.ConditionGroup) -> ConditionGroup:
    return ConditionGroup(
        logic=word_of(message.logic, Logic, rule_pb2.Logic, Logic.ALL),
        members=tuple(
            _to_group(node.group)
            if node.WhichOneof("node") == "group"
            else Condition(
                field=node.condition.field,
                operator=word_of(node.condition.operator, Operator, rule_pb2.Operator),
                value=_to_operand(node.condition.value),
                value_to=_to_scalar(node.condition.value_to),
            )
            for node in message.conditions
        ),
    )


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


def _to_operand(value: struct_pb2.Value) -> Operand:
    if value.WhichOneof("kind") == "list_value":
        return tuple(_to_scalar(each) for each in value.list_value.values)
    return _to_scalar(value)


def _to_scalar(value: struct_pb2.Value) -> Scalar:
    match value.WhichOneof("kind"):
        case "number_value":
            # The shortest decimal that reads back as this number is the one that was sent.
            return Decimal(repr(value.number_value))
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


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
