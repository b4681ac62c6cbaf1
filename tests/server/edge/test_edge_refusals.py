from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import httpx
import pytest

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from tests.server.edge.backend import Backend, running_process
from tests.server.edge.raw_http import ask
from tests.server.edge.running import (
    DESCRIPTORS,
    Edge,
    call,
    reason_of,
    running_edge,
    settings_for,
)

PAGE = {"origin": "https://shop.example"}
TRACKING_BYTES_MAX = REQUEST_BYTES_MAX[RateClass.TRACKING]
MERCHANT = "/guerdon.business.v1.BusinessService/GetMerchant"


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/"),
        ("GET", "/nope"),
        ("GET", "/user/nope"),
        ("POST", "/common/nope"),
        ("GET", "/business"),
        ("GET", "/user/track/arrival"),
        ("DELETE", "/user/track/arrival"),
        ("POST", "/health"),
        ("OPTIONS", "/health"),
    ],
)
async def test_an_unknown_path_or_verb_is_not_found(edge: Edge, verb: str, path: str) -> None:
    """A stranger who mistypes a path reads so, in JSON like every other error."""
    response = await edge.public.request(verb, path)

    assert response.status_code == 404
    assert reason_of(response) == "ROUTE_UNKNOWN"
    assert response.json()["code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert edge.backend.seen == []


LONGEST_QUERY = "a=&" * 5_000


@pytest.mark.parametrize("query", ["zap=%22", "fbclid=1&_", "?", "merchantId=other", LONGEST_QUERY])
@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/health"),
        ("POST", "/user/track/arrival"),
        ("POST", "/ext/merchant/m-1/webhook/custom"),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/grpcx", "application/grpc;x"])
async def test_where_nothing_is_strict_a_query_is_taken_away(
    edge: Edge, verb: str, path: str, query: str, kind: str
) -> None:
    """A page that adds a word of its own would lose its arrivals, and a long one hold up others."""
    for client in (edge.public, edge.mesh):
        response = await client.request(
            verb, f"{path}?{query}", content=b"{}", headers={"content-type": kind}
        )
        assert response.status_code == 200, response.text

    assert [each.metadata["x-envoy-original-path"] for each in edge.backend.seen] == [path] * 2
    assert "other" not in str(edge.backend.seen)


async def test_a_method_by_grpc_has_no_query_either(edge: Edge) -> None:
    """A stranger's words would reach the servers, and their logs."""
    method = "/guerdon.orchestration.v1.ArrivalService/TrackArrival"
    for target in (edge.public_target, edge.mesh_target):
        await call(target, f"{method}?token=secret")

    assert [each.path for each in edge.backend.seen] == [method] * 2


async def test_a_query_that_is_read_has_a_length(edge: Edge) -> None:
    """A stranger's query would cost Envoy milliseconds."""
    path = "/business/merchant/m-1/campaigns"
    for client in (edge.public, edge.mesh):
        longest = f"{path}?pageToken={'a' * (2_048 - len(path) - len('?pageToken='))}"
        assert (await client.get(longest)).status_code == 200
        # Whatever it says that it is.
        response = await client.get(f"{longest}a", headers={"content-type": "application/grpcx"})
        assert (response.status_code, reason_of(response)) == (414, "REQUEST_MALFORMED")
        assert "2048 bytes" in response.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"merchantId": nope"',
        b'{"merchantId": "\\',
        b'{"merchantId": {"a": 1}}',
        b'{"merchantId": 3, "a\\"b": 1}',
        b"\xff\xfe",
        b"[" * 200,
    ],
)
async def test_a_body_that_is_not_right_is_refused_in_valid_json(edge: Edge, body: bytes) -> None:
    """The refusal quotes the body; the quotes must not break the refusal, and the page that
    sent it must be able to read it.
    """
    response = await edge.public.post("/user/track/arrival", content=body, headers=PAGE)

    assert response.status_code == 400
    assert reason_of(response) == "REQUEST_MALFORMED"
    assert response.headers["access-control-allow-origin"] == PAGE["origin"]
    assert edge.backend.seen == []


async def test_the_place_in_malformed_json_is_shown(edge: Edge) -> None:
    """Otherwise a stranger looks for the missing comma alone."""
    response = await edge.public.post("/user/track/arrival", content=b'{"merchantId": nope}')

    assert "Unexpected token" in response.json()["message"]


async def test_the_largest_body_passes_and_a_larger_one_is_refused(edge: Edge) -> None:
    """The limit is the one of the contract, and the page that sent more can read so."""
    frame = b'{"merchantId":""}'
    fill = TRACKING_BYTES_MAX - len(frame)

    passed, refused = [
        await edge.public.post(
            "/user/track/arrival",
            content=b'{"merchantId":"' + b"a" * length + b'"}',
            headers=PAGE,
        )
        for length in (fill, fill + 1)
    ]

    assert passed.status_code == 200
    assert refused.status_code == 413
    assert reason_of(refused) == "BODY_TOO_LARGE"
    assert refused.json()["code"] == grpc.StatusCode.OUT_OF_RANGE.value[0]
    assert str(TRACKING_BYTES_MAX) in refused.json()["message"]
    assert refused.headers["access-control-allow-origin"] == PAGE["origin"]
    assert len(edge.backend.seen) == 1


async def test_a_larger_webhook_is_refused(edge: Edge) -> None:
    """Raw bodies are held in memory as well."""
    response = await edge.public.post(
        "/ext/merchant/m-1/webhook/custom",
        content=b"a" * (REQUEST_BYTES_MAX[RateClass.WEBHOOK] + 1),
    )

    assert response.status_code == 413
    assert reason_of(response) == "BODY_TOO_LARGE"


@pytest.mark.parametrize("path", ["/business/merchant/a%2Fb", "/user%5Ctrack/arrival"])
async def test_an_escaped_slash_is_refused(edge: Edge, path: str) -> None:
    """`a%2Fb` means one thing here and another thing to whoever reads the path next."""
    response = await edge.public.get(path)

    assert response.status_code == 400
    assert reason_of(response) == "REQUEST_MALFORMED"
    assert "path" in response.json()["message"]


async def test_headers_that_are_too_large_are_refused(edge: Edge) -> None:
    """Even an answer that no filter saw is JSON."""
    response = await edge.public.get("/health", headers={"x-much": "a" * 70_000})

    assert response.status_code == 431
    assert reason_of(response) == "REQUEST_MALFORMED"


async def test_what_is_not_http_is_answered_in_json(edge: Edge) -> None:
    """Even an answer to a request without headers is JSON."""
    reader, writer = await asyncio.open_connection(
        edge.settings.public.host, edge.settings.public.port
    )
    writer.write(b"GARBAGE\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"reason":"REQUEST_MALFORMED"' in answer


async def test_a_request_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    """Whoever never ends its body would hold what it has sent for as long as it likes."""
    backend = Backend(DESCRIPTORS.read_bytes())

    def impatient(text: str) -> str:
        return text.replace('"requestTimeout": "5s"', '"requestTimeout": "0.500s"')

    async with (
        running_process(backend) as process,
        running_edge(settings_for([process.port]), backend, tmp_path, change=impatient) as edge,
    ):
        sent = b"POST /user/track/arrival HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{"
        answer = await ask(edge.public_target, sent)

    assert answer.status == 408
    assert reason_of(httpx.Response(408, headers=answer.headers, content=answer.rest)) == (
        "REQUEST_UNFINISHED"
    )
