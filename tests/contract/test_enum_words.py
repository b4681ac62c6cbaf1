"""Every word of the model has its value in the contract, and every value its word."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor

from domains.attribution.model import Source
from domains.business.model import AttributionModel, Platform
from domains.campaign.model import (
    Asset,
    CampaignState,
    Logic,
    Operator,
    PercentOf,
    Recipient,
    Trigger,
)
from domains.identity.model import NodeKind
from domains.purchases.model import (
    DeliveryState,
    FailureKind,
    Link,
    NoteWord,
    OrderState,
    PassedOver,
)
from domains.rewards.model import (
    CancellationReason,
    InteractionKind,
    InteractionState,
    Obstacle,
    Outcome,
    RewardState,
    Role,
)
from guerdon.attribution.v1 import attribution_pb2
from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.purchases.v1 import purchases_pb2
from guerdon.rewards.v1 import rewards_pb2
from guerdon.type.v1 import money_pb2
from infrastructure.rpc.translating import number_of, word_if_any, word_of
from tests.support.contract import METHODS

PAIRS: list[tuple[type[StrEnum], Any]] = [
    (Source, attribution_pb2.Touchpoint.Source),
    (AttributionModel, business_pb2.Merchant.AttributionModel),
    (Platform, business_pb2.Platform),
    (Asset, money_pb2.Asset),
    (CampaignState, campaign_pb2.Campaign.State),
    (Logic, rule_pb2.Logic),
    (Operator, rule_pb2.Operator),
    (PercentOf, rule_pb2.PercentOf),
    (Recipient, rule_pb2.Recipient),
    (Trigger, rule_pb2.Trigger),
    (NodeKind, identity_pb2.IdentityNode.Kind),
    (DeliveryState, purchases_pb2.Delivery.State),
    (FailureKind, purchases_pb2.Delivery.Failure),
    (Link, purchases_pb2.Purchase.Link),
    (NoteWord, purchases_pb2.DeliveryNote.Word),
    (OrderState, purchases_pb2.Purchase.State),
    (PassedOver, purchases_pb2.Delivery.PassedOver),
    (CancellationReason, rewards_pb2.Reward.CancellationReason),
    (InteractionKind, rewards_pb2.Interaction.Kind),
    (InteractionState, rewards_pb2.Interaction.State),
    (Obstacle, rewards_pb2.Obstacle),
    (Outcome, rewards_pb2.Decision.Outcome),
    (RewardState, rewards_pb2.Reward.State),
    (Role, rewards_pb2.Reward.Role),
]
WITHOUT_WORDS = {"guerdon.rewards.v1.Balance.Standing"}
"""Balances are pending ones: the model has no word for what stands."""

every_pair = pytest.mark.parametrize(
    ("words", "names"), PAIRS, ids=[names.DESCRIPTOR.full_name for _, names in PAIRS]
)


def enums_of(message: Descriptor, seen: set[str]) -> Iterator[EnumDescriptor]:
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        if field.enum_type is not None and field.enum_type.full_name.startswith("guerdon."):
            yield field.enum_type
        if field.message_type is not None:
            yield from enums_of(field.message_type, seen)


def test_every_enum_of_requests_and_answers_is_among_these() -> None:
    """An enum would be translated that nobody held against the model."""
    seen: set[str] = set()
    used = {
        each.full_name
        for method in METHODS.values()
        for message in (method.request_type, method.descriptor.output_type)
        for each in enums_of(message, seen)
    }
    assert used == {names.DESCRIPTOR.full_name for _, names in PAIRS} | WITHOUT_WORDS


@every_pair
def test_words_and_values_stand_for_each_other(words: type[StrEnum], names: Any) -> None:
    """A new state would fail every answer that shows it."""
    numbers = {word: number_of(word, names) for word in words if word}
    assert sorted(numbers.values()) == [each for each in names.values() if each != 0]
    for word, number in numbers.items():
        assert word_of(number, words, names) is word


def test_what_is_left_out_is_unspecified() -> None:
    """A list that is not filtered would be filtered, or the other way round."""
    assert number_of(None, purchases_pb2.Purchase.Link) == 0
    assert number_of(Obstacle.NONE, rewards_pb2.Obstacle) == 0
    assert number_of(Logic.NONE, rule_pb2.Logic) == rule_pb2.LOGIC_NONE
    unspecified = purchases_pb2.Purchase.STATE_UNSPECIFIED
    assert word_if_any(unspecified, OrderState, purchases_pb2.Purchase.State) is None
    default = word_of(rule_pb2.LOGIC_UNSPECIFIED, Logic, rule_pb2.Logic, Logic.ALL)
    assert default is Logic.ALL
