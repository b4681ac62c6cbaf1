"""Faults of a message are found by name, at every depth, and a good message costs little."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, struct_pb2
from google.protobuf.descriptor import Descriptor

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.orchestration.v1 import arrival_pb2, purchase_linking_pb2, purchase_webhook_pb2
from guerdon.type.v1 import money_pb2
from server.interception.message_faults import (
    MESSAGES_MAX,
    NESTING_MAX,
    VALUES_MAX,
    faults_of,
    prepare,
)
from server.interception.refusals import VIOLATIONS_MAX
from tests.support.contract import METHODS, method_ids
from tests.support.messages import full_requests

A_UUID = "7e4f0a3e-50b5-4f0e-9c9f-5a3a5dd3c001"
SHARE_MAX = 1.0
"""Of what it costs to write a request as a dictionary; about 0.4 on any machine."""

FieldProto = descriptor_pb2.FieldDescriptorProto


def paths_of(message: Any) -> list[str]:
    return [fault.path for fault in faults_of(message).violations]


def a_claim(**changed: Any) -> purchase_linking_pb2.ClaimPurchaseRequest:
    values: dict[str, Any] = {
        "order_id": struct_pb2.Value(string_value="A-1001"),
        "token": "tok_9f2c",
        "merchant_id": A_UUID,
    }
    return purchase_linking_pb2.ClaimPurchaseRequest(**(values | changed))


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
def test_a_good_request_has_no_faults(method: Any) -> None:
    """Callers who do everything right would be refused."""
    for request in full_requests(method):
        assert faults_of(request).violations == []


def test_everything_that_is_wrong_is_named_at_once() -> None:
    """A caller would mend one field after the other."""
    request = a_claim(token="a\0b", request_id="\0")
    request.ClearField("order_id")
    request.customer_id.list_value.values.add().string_value = "\0"
    assert sorted(paths_of(request)) == ["customer_id", "order_id", "request_id", "token"]


def test_members_of_lists_are_named_by_their_place() -> None:
    """A caller with twenty rewards would look for the wrong one."""
    rule = rule_pb2.Rule(
        trigger=rule_pb2.TRIGGER_PURCHASE,
        rewards=[
            rule_pb2.Reward(recipient=rule_pb2.RECIPIENT_USER, description="fine"),
            rule_pb2.Reward(recipient=rule_pb2.RECIPIENT_USER, description="not\0fine"),
        ],
    )
    campaign = campaign_pb2.Campaign(name="friends", rule=rule)
    # As a newer client may send it.
    campaign.budget.unlimited_assets.extend([1, 99])  # type: ignore[list-item]
    request = campaign_pb2.CreateCampaignRequest(merchant_id=A_UUID, campaign=campaign)
    assert paths_of(request) == [
        "campaign.rule.rewards[1].description",
        "campaign.budget.unlimited_assets[1]",
    ]


def test_what_is_missing_is_not_looked_into() -> None:
    """A caller would be told of fields inside of what it did not send."""
    assert paths_of(business_pb2.CreateMerchantRequest()) == ["merchant"]


def test_endless_nesting_ends() -> None:
    """A small request could keep the server busy, or exhaust its stack."""
    request = campaign_pb2.CreateCampaignRequest(merchant_id=A_UUID)
    request.campaign.name = "deep"
    request.campaign.rule.trigger = rule_pb2.TRIGGER_PURCHASE
    request.campaign.rule.rewards.add(recipient=rule_pb2.RECIPIENT_USER)
    group = request.campaign.rule.conditions
    for _ in range(NESTING_MAX):
        group = group.conditions.add().group
    [fault] = faults_of(request).violations
    assert fault.description == f"is nested more than {NESTING_MAX} deep"
    assert fault.path.startswith("campaign.rule.conditions.conditions[0].group.")


def test_text_beside_nul_is_left_alone() -> None:
    """Other characters that look dangerous are not: people have odd names."""
    odd = "\x01\t\n\x7f\u0000"[:-1] + "\u2019;--\U0001f408\u202e"
    assert faults_of(a_claim(token=odd)).violations == []


def a_type(*fields: dict[str, Any], name: str) -> Descriptor:
    """A message type that the contract does not have yet."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tests/{name}.proto", package="guerdon.tests.v1", syntax="proto3"
    )
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/struct.proto"])
    message = file.message_type.add(name=name)
    for number, field in enumerate(fields, start=1):
        message.field.add(number=number, **field)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool.FindMessageTypeByName(f"guerdon.tests.v1.{name}")


def test_what_no_check_looks_at_keeps_the_server_from_starting() -> None:
    """A field of a new shape would go unchecked, and nobody would notice."""
    repeated = {"label": FieldProto.LABEL_REPEATED, "type": FieldProto.TYPE_MESSAGE}
    times = a_type(
        {"name": "event_times", "type_name": ".google.protobuf.Timestamp", **repeated},
        name="WithTimes",
    )
    with pytest.raises(AssertionError, match="event_times"):
        prepare(times)


def test_a_good_request_costs_little() -> None:
    """Every call pays for it."""
    for request in (
        arrival_pb2.TrackArrivalRequest(merchant_id=A_UUID, utm_source="newsletter"),
        a_claim(),
        *full_requests(METHODS["/guerdon.campaign.v1.CampaignService/CreateCampaign"]),
    ):
        # In turn, so that what else the machine does slows both.
        pairs = [
            (_seconds(faults_of, request), _seconds(json_format.MessageToDict, request))
            for _ in range(7)
        ]
        looking, writing = (min(each) for each in zip(*pairs, strict=True))
        assert looking < writing * SHARE_MAX


def _seconds(work: Callable[[Any], object], request: Any) -> float:
    rounds = 20
    begin = time.perf_counter()
    for _ in range(rounds):
        work(request)
    return time.perf_counter() - begin


def a_campaign_request() -> campaign_pb2.CreateCampaignRequest:
    request = campaign_pb2.CreateCampaignRequest(merchant_id=A_UUID)
    request.campaign.name = "large"
    request.campaign.rule.trigger = rule_pb2.TRIGGER_PURCHASE
    request.campaign.rule.rewards.add(recipient=rule_pb2.RECIPIENT_USER)
    return request


def test_the_walk_ends_with_the_faults_that_are_told() -> None:
    """A request with very many faults would cost as much as it likes."""
    request = a_campaign_request()
    rewards = request.campaign.rule.rewards
    rewards.extend([rule_pb2.Reward()] * (VIOLATIONS_MAX - 1))
    found = faults_of(request)
    assert (len(found.violations), found.has_more) == (VIOLATIONS_MAX - 1, False)
    rewards.extend([rule_pb2.Reward()] * 2)
    found = faults_of(request)
    assert (len(found.violations), found.has_more) == (VIOLATIONS_MAX, True)


def test_a_list_that_is_too_long_is_not_walked() -> None:
    """The rule that says so is asked after each item was looked at."""
    request = a_campaign_request()
    request.campaign.budget.items.extend([rule_pb2.BudgetItem()] * 11)
    found = faults_of(request)
    assert [(each.path, each.description) for each in found.violations] == [
        ("campaign.budget.items", "has 11 items; it must have at most 10")
    ]
    assert found.is_heavy
    request.campaign.budget.ClearField("items")
    request.campaign.budget.unlimited_assets.extend([money_pb2.ASSET_TOKEN] * 11)
    [fault] = faults_of(request).violations
    assert fault.path == "campaign.budget.unlimited_assets"


def test_a_request_has_so_many_messages_and_no_more() -> None:
    """Lists in lists in lists would be within every limit of their own."""
    request = a_campaign_request()
    outer = request.campaign.rule.conditions.conditions
    for _ in range(45):
        inner = outer.add().group.conditions
        for _ in range(50):
            inner.add()
    found = faults_of(request)
    assert [each.description for each in found.violations] == [
        f"has more than {MESSAGES_MAX} parts"
    ]
    assert found.is_heavy
    del outer[30:]
    assert faults_of(request).violations == []


@pytest.mark.parametrize("shape", ["list", "object"])
def test_a_request_has_so_many_values_and_no_more(shape: str) -> None:
    """Two small fields could hold a quarter of a million of them."""
    request = campaign_pb2.CreateCampaignRequest(
        merchant_id=str(uuid4()), campaign=campaign_pb2.Campaign(name="a", rule=rule_pb2.Rule())
    )
    request.campaign.rule.trigger = rule_pb2.TRIGGER_PURCHASE
    request.campaign.rule.rewards.add(recipient=rule_pb2.RECIPIENT_USER).fixed.amount = "1"
    conditions = request.campaign.rule.conditions.conditions
    value, other = (
        conditions.add(
            condition=rule_pb2.Condition(field="a", operator=rule_pb2.OPERATOR_IN)
        ).condition.value
        for _ in range(2)
    )
    if shape == "list":
        value.list_value.values.extend([struct_pb2.Value(number_value=0)] * VALUES_MAX)
    else:
        for number in range(VALUES_MAX):
            value.struct_value.fields[str(number)].number_value = 0
    assert faults_of(request).violations == []
    other.list_value.values.add()
    found = faults_of(request)
    assert [each.description for each in found.violations] == [f"has more than {VALUES_MAX} values"]
    assert found.is_heavy


@pytest.mark.parametrize("name", ["order_id", "customer_id"])
@pytest.mark.parametrize("shape", ["list_value", "struct_value"])
def test_an_id_is_not_looked_into(name: str, shape: str) -> None:
    """Twelve kilobytes of brackets would cost more than a thousand claims."""
    request = a_claim()
    getattr(request, name).Clear()
    getattr(getattr(request, name), shape).SetInParent()
    found = faults_of(request)
    assert [(each.path, each.description) for each in found.violations] == [
        (name, "must be a text or a number, and is a list or an object")
    ]
    assert found.is_heavy


def test_a_body_has_no_extensions() -> None:
    """A megabyte of them would be walked by the rules."""
    request = purchase_webhook_pb2.ReceiveCustomOrderRequest(merchant_id=A_UUID)
    request.payload.data = b"{}"
    assert faults_of(request).violations == []
    request.payload.extensions.add()
    found = faults_of(request)
    assert [each.path for each in found.violations] == ["payload.extensions"]
    assert found.is_heavy


def test_a_list_without_an_end_keeps_the_server_from_starting() -> None:
    """Nothing would bound what its items cost."""
    names = a_type(
        {"name": "names", "label": FieldProto.LABEL_REPEATED, "type": FieldProto.TYPE_STRING},
        name="WithNames",
    )
    with pytest.raises(AssertionError, match="max_items"):
        prepare(names)
