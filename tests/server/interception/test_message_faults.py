"""Faults of a message are found by name, at every depth, and a good message costs little."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, struct_pb2
from google.protobuf.descriptor import Descriptor

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.orchestration.v1 import arrival_pb2, purchase_linking_pb2
from server.interception.message_faults import NESTING_MAX, faults_of, prepare
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
