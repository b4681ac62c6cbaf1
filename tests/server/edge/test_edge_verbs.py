"""HTTP/1.0, HEAD, and verbs that nobody means."""

from __future__ import annotations

import httpx
import pytest

from tests.server.edge.raw_http import ask, native_request, parsed, request, send
from tests.server.edge.running import Edge, reason_of
from tests.server.edge.test_edge_headers import HEALTH, LISTENERS, target_of

CAMPAIGNS = "/business/merchant/m-1/campaigns"


@LISTENERS
async def test_http_1_0_is_served(edge: Edge, listener: str) -> None:
    """It is what nginx speaks to what is behind it, unless told otherwise."""
    answer = await ask(target_of(edge, listener), request("GET", "/health", version="1.0"))

    assert answer.status == 200
    assert answer.rest == b'{"status":""}'


@LISTENERS
@pytest.mark.parametrize("path", ["/health", CAMPAIGNS])
async def test_head_is_get_without_a_body(edge: Edge, listener: str, path: str) -> None:
    """Probes ask for the headers alone; a body would be read as the next answer."""
    first = f"HEAD {path} HTTP/1.1\r\nhost: guerdon\r\n\r\n".encode()
    answer = await send(target_of(edge, listener), first, request("GET", path))

    head = parsed(answer)
    get = parsed(head.rest)
    assert (head.status, get.status) == (200, 200)
    assert head.headers["content-type"] == get.headers["content-type"] == "application/json"
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.rest))
    assert len({seen.path for seen in edge.backend.seen}) == 1


@LISTENERS
@pytest.mark.parametrize("path", ["/nope", "/user/track/arrival"])
async def test_head_of_what_cannot_be_got_is_refused_without_a_body(
    edge: Edge, listener: str, path: str
) -> None:
    """Only what may be read has headers to ask for."""
    answer = await ask(target_of(edge, listener), request("HEAD", path))

    assert answer.status in {400, 404}
    assert answer.rest == b""
    assert edge.backend.seen == []


@LISTENERS
@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_grpc_by_another_verb_is_no_call(edge: Edge, listener: str, verb: str) -> None:
    """gRPC would remember the verb, and say that the fault is its own."""
    answer = await ask(target_of(edge, listener), native_request(HEALTH, verb=verb))

    assert answer.headers["grpc-status"] == "12"
    assert answer.headers["grpc-status-details-bin"]
    assert edge.backend.seen == []


@LISTENERS
async def test_what_only_looks_like_grpc_is_answered_in_json(edge: Edge, listener: str) -> None:
    """The caller would read nothing that a program understands."""
    client = edge.public if listener == "public" else edge.mesh
    response = await client.post(
        HEALTH, content=b"\0\0\0\0\0", headers={"content-type": "application/grpcx"}
    )

    assert response.status_code == 404
    assert reason_of(response) == "ROUTE_UNKNOWN"


@LISTENERS
async def test_an_unknown_transfer_encoding_is_the_callers_fault(edge: Edge, listener: str) -> None:
    """501 would say that we cannot do what nobody can."""
    sent = request("POST", "/user/track/arrival", "transfer-encoding: zip")
    answer = await ask(target_of(edge, listener), sent)

    assert answer.status == 400
    response = httpx.Response(400, headers=answer.headers, content=answer.rest)
    assert reason_of(response) == "REQUEST_MALFORMED"
