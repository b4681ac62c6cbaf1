"""One message a call, no larger than its class."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError

from guerdon.edge.v1 import edge_pb2
from guerdon.orchestration.v1 import arrival_pb2
from server.interception.chain import Call
from server.interception.one_message import ENVELOPE_BYTES_MAX, OneMessage, within
from server.interception.refusals import Refusal
from tests.server.interception.calls import Servicer
from tests.support.contract import METHODS, messages

TRACK = METHODS["/guerdon.orchestration.v1.ArrivalService/TrackArrival"]
EMPTY = arrival_pb2.TrackArrivalRequest()
BYTES_MAX = TRACK.request_bytes_max
FROM_ENVOY = {"x-envoy-original-path": "/user/track/arrival"}
PATIENCE = 0.1
FIFTEENTH_VARINT = 15 << 3


class Stream:
    """What a call brings: messages, then its end, unless it is left open."""

    def __init__(self, *messages: bytes, ends: bool = True) -> None:
        self._messages = list(messages)
        self._ends = ends
        self.reads = 0

    async def read(self) -> Any:
        self.reads += 1
        if self._messages:
            return self._messages.pop(0)
        if self._ends:
            return grpc.aio.EOF
        return await asyncio.Event().wait()


async def taken(stream: Stream, **headers: str) -> Servicer:
    servicer = Servicer()
    step = OneMessage(seconds_max=PATIENCE)
    call = Call(method=TRACK, headers=headers, context=stream)
    await step.wrap(TRACK, servicer)(EMPTY, call)
    return servicer


async def refused(stream: Stream, **headers: str) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await taken(stream, **headers)
    return refusal.value


def of_size(size: int) -> bytes:
    """A request of so many bytes: a long field that nobody knows."""
    head = b"\x9a\x7d"  # Field 2003, a text.
    for length_bytes in (1, 2, 3, 4):
        length = size - len(head) - length_bytes
        text = varint(length)
        if len(text) == length_bytes:
            return head + text + b"a" * length
    raise AssertionError


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


async def test_the_message_is_handed_on() -> None:
    """Nothing would be served."""
    request = arrival_pb2.TrackArrivalRequest(landing_url="https://shop.example/")
    assert (await taken(Stream(request.SerializeToString()))).asked == [request]


@pytest.mark.parametrize("stream", [Stream(), Stream(b"", b""), Stream(b"\x07")])
async def test_what_is_not_one_message_is_malformed(stream: Stream) -> None:
    """A call without a message would hang, and of two one would be dropped in silence."""
    told = await refused(stream)
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")


@pytest.mark.parametrize("stream", [Stream(ends=False), Stream(b"", ends=False)])
async def test_a_message_is_waited_for_so_long_and_no_longer(stream: Stream) -> None:
    """Calls that bring nothing would pile up."""
    told = await refused(stream)
    assert (told.code, told.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "MESSAGE_LATE")


async def test_what_envoy_made_of_json_is_read_once() -> None:
    """Each look for a second message costs a tenth of a millisecond."""
    stream = Stream(b"", ends=False)
    assert (await taken(stream, **FROM_ENVOY)).asked
    assert stream.reads == 1


async def test_the_largest_request_passes_and_a_larger_one_is_refused() -> None:
    """The limit would be another one than is published."""
    assert (await taken(Stream(of_size(BYTES_MAX)))).asked
    told = await refused(Stream(of_size(BYTES_MAX + 1)))
    assert (told.code, told.reason) == (grpc.StatusCode.OUT_OF_RANGE, "BODY_TOO_LARGE")
    assert str(BYTES_MAX) in told.message


async def test_a_body_of_the_largest_size_passes_with_what_envoy_adds() -> None:
    """A webhook of exactly the limit would be refused, since it is wrapped in a message."""
    largest = BYTES_MAX + ENVELOPE_BYTES_MAX
    assert (await taken(Stream(of_size(largest)), **FROM_ENVOY)).asked
    assert (await refused(Stream(of_size(largest + 1)), **FROM_ENVOY)).reason == "BODY_TOO_LARGE"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_a_packed_message_is_unpacked_up_to_the_limit(pack: Any) -> None:
    """A few bytes would become as many as somebody likes."""
    request = arrival_pb2.TrackArrivalRequest(landing_url="https://shop.example/" + "a" * 500)
    assert (await taken(Stream(pack(request.SerializeToString())))).asked == [request]
    assert (await taken(Stream(pack(of_size(BYTES_MAX))))).asked
    assert (await refused(Stream(pack(of_size(BYTES_MAX + 1))))).reason == "BODY_TOO_LARGE"
    assert (await refused(Stream(pack(b"\0" * 10_000_000)))).reason == "BODY_TOO_LARGE"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_only_begins_like_something_packed_is_left_as_it_is(pack: Any) -> None:
    """It is read as a message then, and refused if it is none."""
    packed = pack(b"a message of a few words")
    for data in (packed[:-1], packed[:2], packed[:2] + b"garbage", packed[:-1] + b"\xff"):
        assert within(BYTES_MAX, data) == data


def test_no_message_begins_like_something_packed() -> None:
    """It could be taken for something packed."""
    request = edge_pb2.GetHealthRequest()
    with pytest.raises(DecodeError):
        request.ParseFromString(b"\x1f\x8b\x08")
    assert zlib.compress(b"")[0] == FIFTEENTH_VARINT
    numbered = [
        field.full_name
        for message in messages()
        if message.name.endswith("Request")
        for field in message.fields
        if field.number == 15
    ]
    assert numbered == []
