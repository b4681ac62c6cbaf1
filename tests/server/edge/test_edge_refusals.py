from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.server.edge.running import BODY_BYTES_MAX, Edge, reason_of

PAGE = {"origin": "https://shop.example"}
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


async def test_an_unknown_query_parameter_is_named(edge: Edge) -> None:
    """A mistyped filter must not silently select everything."""
    response = await edge.public.get("/health?zap=%22")

    assert response.status_code == 400
    assert reason_of(response) == "REQUEST_MALFORMED"
    assert response.json()["code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert '"zap"' in response.json()["message"]
    assert edge.backend.seen == []


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
    """The limit is the one in the settings, and the page that sent more can read so."""
    frame = b'{"merchantId":""}'
    fill = BODY_BYTES_MAX - len(frame)

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
    assert str(BODY_BYTES_MAX) in refused.json()["message"]
    assert refused.headers["access-control-allow-origin"] == PAGE["origin"]
    assert len(edge.backend.seen) == 1


async def test_a_larger_webhook_is_refused(edge: Edge) -> None:
    """Raw bodies are held in memory as well."""
    response = await edge.public.post(
        "/ext/merchant/m-1/webhook/custom", content=b"a" * (BODY_BYTES_MAX + 1)
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
        edge.settings.public_host, edge.settings.public_port
    )
    writer.write(b"GARBAGE\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"reason":"REQUEST_MALFORMED"' in answer
