from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.server.edge.running import Edge, call, native_refusal

HEALTH = "/guerdon.edge.v1.EdgeService/GetHealth"
ARRIVAL = "/guerdon.orchestration.v1.ArrivalService/TrackArrival"
CLAIM = "/guerdon.orchestration.v1.PurchaseLinkingService/ClaimPurchase"
WEBHOOK = "/guerdon.orchestration.v1.PurchaseWebhookService/ReceiveCustomOrder"


async def test_json_in_and_json_out(edge: Edge) -> None:
    """Browsers speak JSON only; zero values are there, under the names of the contract."""
    response = await edge.public.post("/user/track/arrival", json={"merchantId": "m-1"})

    assert response.status_code == 200
    assert response.json() == {
        "success": False,
        "identityGroupId": "",
        "touchpointId": "",
        "referralLinkId": "",
        "shareId": "",
    }
    [seen] = edge.backend.seen
    assert seen.path == ARRIVAL
    assert seen.request.merchant_id == "m-1"


async def test_an_older_path_reaches_the_same_method(edge: Edge) -> None:
    """Shop pages with an older script would stop claiming orders."""
    response = await edge.public.post("/interactions/listenForPurchase", json={"token": "t"})

    assert response.status_code == 200
    assert [seen.path for seen in edge.backend.seen] == [CLAIM]


@pytest.mark.parametrize("path", ["/ext/merchant/m-1", "/ext/products/m-1"])
async def test_a_webhook_passes_its_body_byte_for_byte(edge: Edge, path: str) -> None:
    """A changed byte breaks the shop's signature; the answer is text, not JSON."""

    async def taken(_request: Any, answer: type[Message], _context: Any) -> Message:
        return answer(text={"content_type": "text/plain", "data": b"ok"})

    edge.backend.answers[WEBHOOK] = taken
    body = b' {"id" :\t"A-1",\r\n"id":"A-2", "\xff\x00" } '
    suffix = "/webhook/custom" if "merchant" in path else "/webhook/oracle/custom"

    response = await edge.public.post(
        path + suffix,
        content=body,
        headers={"content-type": "application/json", "x-hmac-sha256": "c2ln"},
    )

    assert (response.status_code, response.text) == (200, "ok")
    assert response.headers["content-type"] == "text/plain"
    [seen] = edge.backend.seen
    assert seen.request.payload.data == body
    assert seen.request.payload.content_type == "application/json"
    assert seen.metadata["x-hmac-sha256"] == "c2ln"
    assert "m-1" in {seen.request.merchant_id, seen.request.product_id}


async def test_nobody_outside_passes_for_an_internal_service(edge: Edge) -> None:
    """A leaked service token must be worth nothing from outside, in no spelling."""
    forged = {"x-service-auth": "token", "X_Service_Auth": "token"}

    await edge.public.get("/health", headers=forged)
    await call(edge.public_target, HEALTH, metadata={"x-service-auth": "token"})

    assert len(edge.backend.seen) == 2
    for seen in edge.backend.seen:
        assert not {"x-service-auth", "x_service_auth"} & set(seen.metadata)


async def test_a_header_with_an_underscore_is_dropped(edge: Edge) -> None:
    """Some servers take `x_client_id` for `x-client-id`; nothing behind Envoy has to."""
    await edge.public.get("/health", headers={"x_client_id": "1", "x-client-id": "2"})

    [seen] = edge.backend.seen
    assert seen.metadata["x-client-id"] == "2"
    assert "x_client_id" not in seen.metadata


async def test_only_envoy_says_how_a_call_came(edge: Edge) -> None:
    """Otherwise a caller could hide its query, or pass gRPC off as JSON."""
    forged = {"x-envoy-original-path": "/forged", "x-envoy-original-method": "FORGED"}

    await edge.public.get("/health", headers=forged)
    await call(edge.public_target, HEALTH, metadata=forged)

    json_call, native_call = edge.backend.seen
    assert json_call.metadata["x-envoy-original-path"] == "/health"
    assert json_call.metadata["x-envoy-original-method"] == "GET"
    assert not set(forged) & set(native_call.metadata)


async def test_callers_do_not_set_timeouts_and_retries(edge: Edge) -> None:
    """Otherwise anybody could have calls repeated that must not be."""
    forged = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx"}

    response = await edge.public.get("/health", headers=forged)

    assert response.status_code == 200
    [seen] = edge.backend.seen
    assert seen.metadata["x-envoy-expected-rq-timeout-ms"] == "15000"


async def test_the_address_of_the_caller_is_not_the_callers_word(edge: Edge) -> None:
    """Without a trusted proxy in front, `x-forwarded-for` is anybody's claim."""
    await edge.public.get("/health", headers={"x-forwarded-for": "203.0.113.9"})

    [seen] = edge.backend.seen
    assert seen.metadata["x-envoy-external-address"] == "127.0.0.1"


async def test_a_request_id_is_kept_or_made_and_returned(edge: Edge) -> None:
    """People who report a problem quote it; it finds the call in our log."""
    given = "6f1f9c1e-3f55-4a1c-9d53-0d2f6f0a6f11"

    kept = await edge.public.get("/health", headers={"x-request-id": given})
    made = await edge.public.get("/health")

    assert kept.headers["x-request-id"] == given
    assert made.headers["x-request-id"]
    assert [seen.metadata["x-request-id"] for seen in edge.backend.seen] == [
        given,
        made.headers["x-request-id"],
    ]


@pytest.mark.parametrize("path", ["/user/.././health", "//health", "/%68ealth"])
async def test_one_path_has_one_spelling(edge: Edge, path: str) -> None:
    """Otherwise a rule about a path could be walked around."""
    reader, writer = await asyncio.open_connection(
        edge.settings.public.host, edge.settings.public.port
    )
    # By hand: a client library would tidy the path up.
    writer.write(f"GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 200 ")
    [seen] = edge.backend.seen
    assert seen.metadata["x-envoy-original-path"] == "/health"


async def test_native_grpc_reaches_public_methods(edge: Edge) -> None:
    """SDKs may speak gRPC instead of JSON."""
    assert await call(edge.public_target, HEALTH) == b""


@pytest.mark.parametrize(
    "path",
    [
        "/guerdon.identity.v1.IdentityService/GetIdentityGroup",
        "/guerdon.orchestration.v1.ArrivalService/ImportArrival",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/user/track/arrival",
        "/business/merchant/m-1",
    ],
)
async def test_nothing_else_is_there_for_native_grpc(edge: Edge, path: str) -> None:
    """Internal methods and reflection belong to the mesh; the world cannot tell them from
    methods that do not exist.
    """
    refusal = await native_refusal(edge.public_target, path)

    assert refusal == (grpc.StatusCode.UNIMPLEMENTED, "ROUTE_UNKNOWN")
    assert edge.backend.seen == []


@pytest.mark.parametrize("method", ["IdentityService/GetIdentityGroup", "IdentityService/Nope"])
async def test_an_internal_method_is_not_there_for_json_and_grpc_web(
    edge: Edge, method: str
) -> None:
    """A gRPC path must not become a JSON path that nobody wrote down."""
    as_json, as_web = [
        await edge.public.post(
            f"/guerdon.identity.v1.{method}",
            content=b"\0\0\0\0\0",
            headers={"content-type": content_type},
        )
        for content_type in ("application/json", "application/grpc-web+proto")
    ]

    assert as_json.status_code == 404
    assert as_web.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])

    assert edge.backend.seen == []


async def test_grpc_web_reaches_public_methods(edge: Edge) -> None:
    """Browsers without JSON: the status comes in the body, where a page can read it."""
    response = await edge.public.post(
        ARRIVAL,
        content=b"\0\0\0\0\0",
        headers={"content-type": "application/grpc-web+proto", "origin": "https://shop.example"},
    )

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/grpc-web+proto"
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    message, trailers = response.content[:5], response.content[5:]
    assert message == b"\0\0\0\0\0"
    assert trailers[:1] == b"\x80"
    assert b"grpc-status:0" in trailers
    assert [seen.path for seen in edge.backend.seen] == [ARRIVAL]


async def test_a_servers_error_reaches_both_kinds_of_callers(edge: Edge) -> None:
    """Details are JSON for the one and a typed message for the other."""
    info = error_details_pb2.ErrorInfo(reason="MERCHANT_NOT_FOUND", domain="mesh.guerdon")

    async def refuse(_request: Any, _answer: type[Message], context: Any) -> Message:
        detail = any_pb2.Any()
        detail.Pack(info)
        refusal = status_pb2.Status(code=5, message="There is no such merchant.", details=[detail])
        await context.abort_with_status(rpc_status.to_status(refusal))
        raise AssertionError

    edge.backend.answers[ARRIVAL] = refuse

    response = await edge.public.post("/user/track/arrival", json={})
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(edge.public_target, ARRIVAL)

    assert response.status_code == 404
    assert response.json() == {
        "code": 5,
        "message": "There is no such merchant.",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "MERCHANT_NOT_FOUND",
                "domain": "mesh.guerdon",
                "metadata": {},
            }
        ],
    }
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert refused.value.details() == "There is no such merchant."


async def test_answers_do_not_tell_what_is_behind_envoy(edge: Edge) -> None:
    """How long the server took and what it can unpack is nobody's business."""
    response = await edge.public.get("/health")

    assert not {"x-envoy-upstream-service-time", "grpc-accept-encoding"} & set(response.headers)
