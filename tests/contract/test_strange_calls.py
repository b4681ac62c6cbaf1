"""Whatever is wrong with a call, its answer says in our words that the caller is at fault.

Over every method, by native gRPC at the server.
"""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from server.interception.one_message import MESSAGE_SECONDS_MAX
from tests.support.contract import METHODS
from tests.support.http2 import connected, frame, grpc_headers
from tests.support.mesh import CLIENT_ID, SERVICE, Mesh
from tests.support.strange_calls import REACH_US, faults_of_all, native_answer

EVERY = list(METHODS.values())


@pytest.mark.parametrize("name", REACH_US)
async def test_the_server_says_whose_fault_it_is(name: str, mesh: Mesh) -> None:
    """Callers would read that we failed, or wait for ever."""
    address = ("127.0.0.1", mesh.port)
    assert not await faults_of_all(
        EVERY, lambda method: native_answer(address, method, REACH_US[name])
    )


@pytest.mark.parametrize(
    "body",
    [(), (frame(b""),), (frame(b"\0" * 1_000, claimed=2**32 - 1),)],
    ids=["without a message", "behind it", "in a frame that claims to be huge"],
)
async def test_a_call_that_is_left_open_is_ended(body: tuple[bytes, ...], mesh: Mesh) -> None:
    """Such calls would pile up until nobody else's is taken."""
    paths = (*METHODS, "/grpc.health.v1.Health/Check")
    proofs = (*SERVICE, ("x-client-id", CLIENT_ID))
    async with connected("127.0.0.1", mesh.port) as connection:
        begin = time.monotonic()
        answers = await asyncio.gather(
            *(
                connection.call(
                    grpc_headers(path, *proofs), body, ends=False, seconds=2 * MESSAGE_SECONDS_MAX
                )
                for path in paths
            )
        )
    assert time.monotonic() - begin > MESSAGE_SECONDS_MAX
    for path, answer in zip(paths, answers, strict=True):
        assert answer.info is not None, path
        assert answer.info.reason == "MESSAGE_LATE", path
        assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED, path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/grpc.health.v1.Health/Check", "REQUEST_MALFORMED"),
        ("/grpc.channelz.v1.Channelz/GetServers", "REQUEST_MALFORMED"),
        ("/guerdon.edge.v1.EdgeService/Nothing", "METHOD_UNKNOWN"),
        ("/nobody.knows.Service/Nothing", "METHOD_UNKNOWN"),
        ("/", "METHOD_UNKNOWN"),
    ],
)
async def test_what_is_not_of_the_contract_is_answered_too(
    path: str, reason: str, mesh: Mesh
) -> None:
    """A call without a message would hang, and one of no method be answered without a reason."""
    async with connected("127.0.0.1", mesh.port) as connection:
        answer = await connection.call(grpc_headers(path), seconds=5)
    assert answer.info is not None
    assert (answer.info.domain, answer.info.reason) == ("mesh.guerdon", reason)
