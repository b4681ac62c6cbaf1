"""What a dashboard changes by JSON: its mask and its keys are those of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message import Message

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2
from infrastructure.rpc.updating import resource_of, writable_fields
from server.interception.strict_json.messages import Reading, read_body
from tests.support.contract import METHODS, method_ids

UPDATES = [method for method in METHODS.values() if resource_of(method.request_type) is not None]


def read(message: Message, document: dict[str, Any]) -> Reading:
    return read_body(json.dumps(document).encode(), message)


def paths_of(document: dict[str, Any]) -> list[str]:
    request = campaign_pb2.UpdateCampaignRequest()
    assert not read(request, document).faults
    return list(request.update_mask.paths)


def faults_of(document: dict[str, Any]) -> dict[str, str]:
    reading = read(campaign_pb2.UpdateCampaignRequest(), document)
    return {fault.path: fault.description for fault in reading.faults}


@pytest.mark.parametrize("method", UPDATES, ids=method_ids)
def test_a_mask_has_the_keys_of_json(method: Any) -> None:
    """An expiry could never be taken away: its key was refused, and its name as well."""
    field = resource_of(method.request_type)
    assert field is not None
    resource = field.message_type
    assert resource is not None
    for name in writable_fields(resource):
        key = resource.fields_by_name[name].json_name
        request = method.request_class()
        assert not read(request, {"updateMask": key}).faults
        assert list(request.update_mask.paths) == [name]


def test_a_mask_that_names_what_is_not_there_is_told_what_is() -> None:
    """Who obeyed the refusal was refused again."""
    for unknown in ("expire_time", "createdAt", "budget.items", "name, priority", ","):
        (description,) = faults_of({"updateMask": unknown}).values()
        assert "may name name, " in description
        assert "expiresAt" in description
        assert "expire_time," not in description
    assert "is a number" in faults_of({"updateMask": 7})["updateMask"]
    assert paths_of({"updateMask": "*"}) == ["*"]
    assert paths_of({"updateMask": "*,name"}) == ["*", "name"]


def test_what_is_there_is_changed() -> None:
    """A priority that was set to zero stayed, and the answer was 200."""
    there = {"name": "friends", "priority": 0, "expiresAt": None, "createdAt": None}
    assert sorted(paths_of({"campaign": there})) == ["name", "priority"]
    assert paths_of({"campaign": there, "updateMask": "name"}) == ["name"]
    assert paths_of({"campaign": {}}) == []
    assert paths_of({}) == []


def test_what_must_be_there_cannot_be_emptied() -> None:
    """An empty name was passed over, and the answer was 200."""
    request = business_pb2.UpdateMerchantRequest()
    assert not read(request, {"merchant": {"name": ""}}).faults
    assert list(request.update_mask.paths) == ["name"]
