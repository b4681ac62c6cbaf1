"""What stands in front of every method is there, in its order, and knows every method."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from structlog.testing import capture_logs

from guerdon.attribution.v1 import attribution_pb2
from guerdon.options.v1 import method_pb2
from infrastructure.rpc.contract import ContractError, methods_of
from server.interception.caller import CallerProof
from server.interception.finishing import Finishing
from server.interception.merchant_role import MerchantRole
from server.interception.one_message import OneMessage
from server.interception.path_over_query import PathOverQuery
from server.interception.refusals import Refusals
from server.interception.repeat import RepeatedCall
from server.interception.request_log import RequestLog
from server.interception.strict_json.step import StrictJson
from server.interception.validation import Validation
from server.serving import steps_of
from tests.support.contract import METHODS
from tests.support.described import a_service
from tests.support.mesh import NOBODY, SERVICE, Mesh, settings_for, visitor
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import BusyShop

MERCHANT = "0198c0de-0000-7000-8000-000000000001"
TOUCHPOINTS = METHODS["/guerdon.attribution.v1.AttributionService/ListTouchpoints"]


def test_the_steps_stand_in_their_order() -> None:
    """A fault would pass without its words, or a stranger's request be read before his proof."""
    steps = steps_of(settings_for("postgresql+asyncpg://nowhere"))
    assert [type(step) for step in steps] == [
        Refusals,
        RequestLog,
        PathOverQuery,
        CallerProof,
        OneMessage,
        StrictJson,
        Validation,
        MerchantRole,
        RepeatedCall,
        Finishing,
    ]


async def test_a_query_that_overrides_the_path_is_refused_by_the_server(mesh: Mesh) -> None:
    """Whoever reads the path in a log would be misled about whose data was read."""
    request = attribution_pb2.ListTouchpointsRequest(merchant_id=MERCHANT)
    for query in ("merchantId=1", "merchant_id=1", "merchant%49d=1", "pageSize=1&merchantId="):
        path = f"/business/merchant/{MERCHANT}/touchpoints?{query}"
        told = await refusal_by(
            mesh.call(TOUCHPOINTS, request, proof=(*SERVICE, ("x-envoy-original-path", path)))
        )
        assert told.reason == "QUERY_OVERRIDES_PATH"
    claim = METHODS["/guerdon.orchestration.v1.PurchaseLinkingService/ClaimPurchase"]
    path = "/user/track/purchase?orderId=A-1"
    told = await refusal_by(
        mesh.call_raw(claim, b"", proof=(*visitor(), ("x-envoy-original-path", path)))
    )
    assert told.reason == "QUERY_BESIDE_BODY"


async def test_a_call_is_one_line_of_the_log(mesh: Mesh, busy: BusyShop) -> None:
    """An operator would not know what was called, or would read who it was."""
    secret = "client-id-that-is-nobodys-business"
    request = attribution_pb2.ListTouchpointsRequest(merchant_id=busy.shop.merchant_id)
    with capture_logs() as lines:
        await mesh.call(TOUCHPOINTS, request, proof=(*SERVICE, ("x-request-id", "r" * 7_000)))
        await refusal_by(mesh.call(TOUCHPOINTS, request, proof=visitor(secret)))
        await refusal_by(mesh.call(TOUCHPOINTS, request, proof=NOBODY))

    assert [(each["event"], each["code"], each["reason"], each["caller"]) for each in lines] == [
        ("call", "OK", "", "service"),
        ("call", "PERMISSION_DENIED", "CALLER_REFUSED", ""),
        ("call", "UNAUTHENTICATED", "CALLER_UNKNOWN", ""),
    ]
    assert {each["method"] for each in lines} == {TOUCHPOINTS.path}
    assert max(len(str(each)) for each in lines) < 1_000
    assert secret not in str(lines)


def test_a_method_that_is_fully_described_is_served() -> None:
    """Every method would be refused, and the tests below would show nothing."""
    [method] = methods_of([a_service("complete", route="/x", rate_class=1)]).values()
    assert method.is_public


@pytest.mark.parametrize(
    ("service", "says"),
    [
        (a_service("nobody", callers=()), "does not say who may call it"),
        (a_service("talkative", streams_requests=True), "takes a stream of requests"),
        (a_service("unlimited", route="/x"), "has a route and no guerdon.options.v1.rate_class"),
        (
            a_service("roleless", callers=(method_pb2.Access.CALLER_MERCHANT,)),
            "lacks a merchant_role or a merchant field",
        ),
        (
            a_service("anyone", callers=(method_pb2.Access.CALLER_MERCHANT,), merchant_role=1),
            "lacks a merchant_role or a merchant field",
        ),
    ],
    ids=["no access", "many requests", "no rate class", "no role", "no merchant"],
)
def test_a_method_that_leaves_something_out_keeps_the_server_from_starting(
    service: ServiceDescriptor, says: str
) -> None:
    """It would be open to everybody, or as often as anybody likes."""
    with pytest.raises(ContractError, match=says):
        methods_of([service])
