"""What the path says is not said again by the query."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message

from guerdon.business.v1 import business_pb2
from server.interception.path_over_query import PathOverQuery
from tests.server.interception.calls import pass_through, refusal_from
from tests.support.contract import METHODS

GET_MERCHANT = METHODS["/guerdon.business.v1.BusinessService/GetMerchant"]
GET_CAMPAIGN = METHODS["/guerdon.campaign.v1.CampaignService/GetCampaign"]
TRACK = METHODS["/guerdon.orchestration.v1.ArrivalService/TrackArrival"]
A_REQUEST: Message = business_pb2.GetMerchantRequest()
HEALTH = METHODS["/guerdon.edge.v1.EdgeService/GetHealth"]
STEP = PathOverQuery()


@pytest.mark.parametrize(
    "query",
    [
        "merchant_id=other",
        "merchantId=other",
        "merchant%5fid=other",
        "merchant%5Fid=other",
        "%6derchantId=other",
        "merchantI%64=other",
        "page_size=1&merchant_id=other",
        "merchant_id",
        "merchant_id=",
        "=&merchantId=other",
        "a=%00&merchantId=%00",
    ],
)
async def test_a_query_that_repeats_the_path_is_refused(query: str) -> None:
    """Whoever reads the path in a log would take the call for another one."""
    path = f"/business/merchant/mine?{query}"
    refused = await refusal_from(STEP, GET_MERCHANT, A_REQUEST, x_envoy_original_path=path)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "QUERY_OVERRIDES_PATH"
    assert refused.metadata["parameter"] in {"merchant_id", "merchantId"}
    assert [each.path for each in refused.violations] == [refused.metadata["parameter"]]


async def test_every_variable_of_the_path_is_looked_for() -> None:
    """The second variable could be replaced where the first cannot."""
    for name in ("campaign_id", "campaignId", "merchantId"):
        path = f"/business/merchant/mine/campaigns/one?{name}=other"
        refused = await refusal_from(STEP, GET_CAMPAIGN, A_REQUEST, x_envoy_original_path=path)
        assert refused.metadata == {"parameter": name}


@pytest.mark.parametrize(
    "path",
    [
        "/business/merchant/mine",
        "/business/merchant/mine?",
        "/business/merchant/mine?page_size=2&pageToken=abc",
        "/business/merchant/merchant_id=mine",
        "/business/merchant/mine?note=merchant_id%3Dother",
        "/business/merchant/mine?merchant_id_of=other",
    ],
)
async def test_any_other_query_passes(path: str) -> None:
    """Callers of lists could not page."""
    assert (await pass_through(STEP, GET_MERCHANT, A_REQUEST, x_envoy_original_path=path)).asked


async def test_a_native_call_passes() -> None:
    """It has no path of JSON."""
    assert (await pass_through(STEP, GET_MERCHANT, A_REQUEST)).asked


async def test_a_route_without_variables_and_body_passes() -> None:
    """Its query sets fields, and nothing is said twice."""
    path = "/health?anything=at+all"
    assert (await pass_through(STEP, HEALTH, A_REQUEST, x_envoy_original_path=path)).asked


@pytest.mark.parametrize("query", ["orderId=A-1", "merchantId=x", "utm_source=ad", "=", "unknown"])
async def test_beside_a_body_a_query_is_refused(query: str) -> None:
    """Two callers who send one body would ask for two things."""
    path = f"/user/track/arrival?{query}"
    refused = await refusal_from(STEP, TRACK, A_REQUEST, x_envoy_original_path=path)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "QUERY_BESIDE_BODY",
    )
    assert refused.metadata == {"parameter": query.partition("=")[0]}
    await pass_through(STEP, TRACK, A_REQUEST, x_envoy_original_path="/user/track/arrival?")
