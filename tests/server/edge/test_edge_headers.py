"""What gRPC would remember for the next caller does not reach it."""

from __future__ import annotations

import re

import pytest

from server.edge.headers import GRPC_REQUEST_HEADERS, RESERVED_PREFIX, all_but
from tests.server.edge.raw_http import EMPTY_MESSAGE, ask, native_request, request
from tests.server.edge.running import Edge
from tests.support.raw_streams import post, raw_streams

HEALTH = "/guerdon.edge.v1.EdgeService/GetHealth"
ARRIVAL_PATH = "/user/track/arrival"
LISTENERS = pytest.mark.parametrize("listener", ["public", "mesh"])


def target_of(edge: Edge, listener: str) -> str:
    return edge.public_target if listener == "public" else edge.mesh_target


@LISTENERS
@pytest.mark.parametrize(
    "header",
    [
        "grpc-previous-rpc-attempts: zzz",
        "grpc-retry-pushback-ms: zzz",
        "grpc-status: 3",
        "grpc-tim: 1",
        "grpc-timeouts: 1S",
        "grpc-: 1",
        "grpc-trace-bin: %%%",
        "any-bin: %%%",
        "lb-cost-bin: AAAA",
        "a.b: 1",
        "a~b: 1",
        "x_service_auth: token",
        "!: 1",
    ],
)
async def test_a_header_that_grpc_would_read_is_taken_away(
    edge: Edge, listener: str, header: str
) -> None:
    """The server would keep what it could not read, and find it in other callers' calls."""
    for sent in (
        native_request(HEALTH, header, "x-kept: 1"),
        request("POST", ARRIVAL_PATH, header, "x-kept: 1", body=b"{}"),
    ):
        await ask(target_of(edge, listener), sent)

    assert len(edge.backend.seen) == 2
    for seen in edge.backend.seen:
        assert seen.metadata["x-kept"] == "1"
        assert header.split(":", maxsplit=1)[0] not in seen.metadata


@LISTENERS
@pytest.mark.parametrize(
    "header",
    [
        "grpc-timeout: zzz",
        "grpc-timeout: 5",
        "grpc-timeout: 0n",
        "grpc-timeout: S",
        "grpc-timeout: -5S",
        "grpc-timeout: 123456789S",
        "grpc-timeout: 5s",
        "grpc-timeout: 5S,6S",
        "grpc-timeout: 5S\r\ngrpc-timeout: 6S",
    ],
)
async def test_a_malformed_deadline_is_the_callers_fault(
    edge: Edge, listener: str, header: str
) -> None:
    """The call would have no deadline, or break those of others."""
    answer = await ask(target_of(edge, listener), native_request(HEALTH, header))

    assert answer.headers["grpc-status"] == "3"
    assert answer.headers["grpc-status-details-bin"]
    assert edge.backend.seen == []


@LISTENERS
@pytest.mark.parametrize("deadline", ["5S", "99999999n", "1H", "100m"])
async def test_a_deadline_reaches_the_server(edge: Edge, listener: str, deadline: str) -> None:
    """The server would work for a caller that has left."""
    answer = await ask(
        target_of(edge, listener), native_request(HEALTH, f"grpc-timeout: {deadline}")
    )

    assert answer.status == 200
    assert "grpc-status" not in answer.headers, answer
    assert len(edge.backend.seen) == 1


@LISTENERS
async def test_an_encoding_that_nobody_can_unpack_is_refused(edge: Edge, listener: str) -> None:
    """The server would remember it, too."""
    answer = await ask(target_of(edge, listener), native_request(HEALTH, "grpc-encoding: snappy"))

    assert answer.headers["grpc-status"] == "3"
    assert "gzip" in answer.headers["grpc-message"]
    assert edge.backend.seen == []


@LISTENERS
async def test_a_caller_of_json_has_no_deadline_of_grpc(edge: Edge, listener: str) -> None:
    """A page could break calls of services by a header that says nothing about JSON."""
    answer = await ask(
        target_of(edge, listener),
        request(
            "POST", ARRIVAL_PATH, "grpc-timeout: zzz", "grpc-encoding: zip", "te: zzz", body=b"{}"
        ),
    )

    assert answer.status == 200
    [seen] = edge.backend.seen
    assert not {"grpc-timeout", "grpc-encoding"} & set(seen.metadata)


@LISTENERS
async def test_a_call_without_te_is_a_call(edge: Edge, listener: str) -> None:
    """gRPC hangs up without the header, and the caller would read that no server is there."""
    for header in ("te: zzz", "te: gzip, trailers", "x-no: te"):
        answer = await ask(target_of(edge, listener), native_request(HEALTH, header))
        assert "grpc-status" not in answer.headers, (header, answer)

    assert len(edge.backend.seen) == 3


@LISTENERS
async def test_trailers_of_a_request_end_at_envoy(edge: Edge, listener: str) -> None:
    """They are headers as well, and gRPC reads them."""
    async with raw_streams(target_of(edge, listener)) as streams:
        stream = streams.open(post(HEALTH))
        await streams.send(stream, EMPTY_MESSAGE)
        streams.end_with(stream, [("grpc-timeout", "zzz"), ("some-bin", "%%%")])
        answer = await streams.until_ended(stream)

    assert answer["grpc-status"] == "0"
    [seen] = edge.backend.seen
    assert not {"grpc-timeout", "some-bin"} & set(seen.metadata)


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        *((name, False) for name in GRPC_REQUEST_HEADERS),
        *((name[:-1], True) for name in GRPC_REQUEST_HEADERS),
        *((name + "s", True) for name in GRPC_REQUEST_HEADERS),
        ("grpc-", True),
        ("grpc-x", True),
        ("grpc-accept", True),
        ("grpc-accept-e", True),
        ("grpc-e", True),
        ("grpc", False),
        ("x-grpc-web", False),
    ],
)
def test_the_pattern_leaves_out_what_it_should(name: str, is_taken: bool) -> None:
    """A name would pass because it begins like one that may."""
    pattern = all_but(RESERVED_PREFIX, GRPC_REQUEST_HEADERS)

    assert bool(re.fullmatch(pattern, name)) == is_taken
