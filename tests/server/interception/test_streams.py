"""A method that answers in a stream stands behind the same steps as any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc
import pytest
from structlog.testing import capture_logs

from guerdon.business.v1 import business_pb2
from guerdon.edge.v1 import edge_pb2
from infrastructure.rpc.contract import ContractError
from infrastructure.rpc.served import served
from server.serving import build_server
from tests.support.described import a_service
from tests.support.mesh import NOBODY, SERVICE, settings_for
from tests.support.refusals import Told, told_by
from vocabulary.ids import MerchantId
from vocabulary.refusals import MerchantNotFoundError

STREAM = a_service("streaming", streams_answers=True)
PATH = f"/{STREAM.full_name}/Get"
SETTINGS = settings_for("postgresql+asyncpg://nowhere")
MERCHANT = MerchantId(UUID("0198c0de-0000-7000-8000-000000000001"))
AN_ANSWER = edge_pb2.GetHealthResponse(status="ok")

Answers = Callable[[], AsyncIterator[edge_pb2.GetHealthResponse]]


class StreamServicer:
    """Answers with what a test has it answer with."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def Get(  # noqa: N802 - gRPC names it
        self, request: edge_pb2.GetHealthRequest, context: Any
    ) -> AsyncIterator[edge_pb2.GetHealthResponse]:
        async for each in self._answers():
            yield each


@asynccontextmanager
async def streaming(answers: Answers) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server whose only service is the stream, behind all steps."""
    server, _ = build_server([served(StreamServicer(answers), STREAM)], SETTINGS)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


def call(channel: grpc.aio.Channel, request: bytes = b"", proof: Any = SERVICE) -> Any:
    method: Any = channel.unary_stream(
        PATH,
        request_serializer=bytes,
        response_deserializer=edge_pb2.GetHealthResponse.FromString,
    )
    return method(request, metadata=proof, timeout=10)


async def refused(stream: Any) -> tuple[list[Any], Told]:
    """What came, and the refusal that ended it."""
    came = []
    try:
        async for each in stream:
            came.append(each)  # noqa: PERF401 - those before the refusal count
    except grpc.aio.AioRpcError as refusal:
        return came, told_by(refusal)
    pytest.fail("it was not refused")


async def three() -> AsyncIterator[edge_pb2.GetHealthResponse]:
    for number in range(3):
        yield edge_pb2.GetHealthResponse(status=str(number))


async def test_answers_come_in_their_order_and_are_one_line_of_the_log() -> None:
    """Who follows a stream would read what comes next before what came first."""
    with capture_logs() as lines:
        async with streaming(three) as channel:
            assert [each.status async for each in call(channel)] == ["0", "1", "2"]

    [line] = [each for each in lines if each["event"] == "call"]
    assert (line["method"], line["code"], line["messages"]) == (PATH, "OK", 3)
    assert line["caller"] == "service"


async def test_a_stranger_reads_no_answer() -> None:
    """A stream would be open to everybody."""
    async with streaming(three) as channel:
        came, refusal = await refused(call(channel, proof=NOBODY))
    assert came == []
    assert refusal.reason == "CALLER_UNKNOWN"


async def test_a_request_that_cannot_be_read_is_refused() -> None:
    """gRPC would say that the fault is ours."""
    async with streaming(three) as channel:
        came, refusal = await refused(call(channel, b"\xff"))
    assert came == []
    assert refusal.reason == "REQUEST_MALFORMED"


async def test_a_refusal_ends_a_stream_that_has_begun_with_its_reason() -> None:
    """A client could not know whether to resume."""

    async def unknown_merchant() -> AsyncIterator[edge_pb2.GetHealthResponse]:
        yield AN_ANSWER
        raise MerchantNotFoundError(MERCHANT)

    with capture_logs() as lines:
        async with streaming(unknown_merchant) as channel:
            came, refusal = await refused(call(channel))
    assert came == [AN_ANSWER]
    assert refusal.reason == "MERCHANT_NOT_FOUND"
    [line] = [each for each in lines if each["event"] == "call"]
    assert (line["code"], line["reason"], line["messages"]) == (
        "NOT_FOUND",
        "MERCHANT_NOT_FOUND",
        1,
    )


async def test_an_unforeseen_fault_keeps_its_words_to_itself() -> None:
    """gRPC would send the exception's text."""

    async def broken() -> AsyncIterator[edge_pb2.GetHealthResponse]:
        yield AN_ANSWER
        message = "a secret"
        raise RuntimeError(message)

    async with streaming(broken) as channel:
        came, refusal = await refused(call(channel))
    assert came == [AN_ANSWER]
    assert refusal.reason == "INTERNAL"
    assert "secret" not in refusal.message


async def test_a_stream_ends_when_its_reader_has_gone() -> None:
    """Each reader that came and went would cost the server for ever."""
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[edge_pb2.GetHealthResponse]:
        try:
            while True:
                yield AN_ANSWER
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    with capture_logs() as lines:
        async with streaming(endless) as channel:
            stream = call(channel)
            assert await stream.read() == AN_ANSWER
            stream.cancel()
            await asyncio.wait_for(ended.wait(), 5)
    [line] = [each for each in lines if each["event"] == "call"]
    assert line["code"] == "CANCELLED"


def test_a_stream_with_a_request_id_keeps_the_server_from_starting() -> None:
    """Whoever sends it again would have the work done again."""
    creating = a_service(
        "creating_stream",
        streams_answers=True,
        request=business_pb2.CreateMerchantRequest.DESCRIPTOR,
    )
    with pytest.raises(ContractError, match="no stream is kept to be repeated"):
        build_server([served(StreamServicer(three), creating)], SETTINGS)
