"""REQUIRED in the contract is a promise about the server."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from infrastructure.rpc.contract import Method
from tests.support.contract import METHODS, is_required, method_ids
from tests.support.mesh import Mesh
from tests.support.messages import Place, full_requests, places
from tests.support.refusals import refusal_by

REQUIRED = [
    place
    for method in METHODS.values()
    for place in places(method)
    if is_required(place.leaf.field)
]


def clear(message: Any, name: str) -> None:
    message.ClearField(name)


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
async def test_a_full_request_is_not_refused_as_invalid(method: Method, mesh: Mesh) -> None:
    """The tests below would pass because of something else that is wrong."""
    for request in full_requests(method):
        answer = await asyncio.gather(mesh.call(method, request), return_exceptions=True)
        assert "REQUEST_INVALID" not in str(answer)


@pytest.mark.parametrize("place", REQUIRED, ids=str)
async def test_a_request_without_a_required_field_is_refused_by_name(
    place: Place, mesh: Mesh
) -> None:
    """The server would go on with nothing where the contract promises something."""
    told = await refusal_by(mesh.call(place.method, place.changed(clear)))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (told.domain, told.reason) == ("mesh.guerdon", "REQUEST_INVALID")
    assert told.fields == (place.leaf.path,)
    assert told.message.startswith(f"{place.leaf.path} is required")


def test_required_fields_are_found_at_every_depth() -> None:
    """The cases above are made from the contract; these must be among them."""
    found = {str(place) for place in REQUIRED}
    assert found >= {
        "GetMerchant-merchant_id",
        "CreateMerchant-merchant.reward_token.token_address",
        "CreateCampaign-campaign.rule.rewards[0].chaining.level_percent",
        "CreateCampaign-campaign.rule.rewards[0].percentage.percent",
        "CreateCampaign-campaign.rule.conditions.conditions[0].group.conditions[0].condition.field",
        "ImportClaim-claim.order_id",
    }
