"""Takes the one message of a unary call, by its bytes first.

gRPC's own way to a unary handler never ends a call that brings no message, and reads no second
one. So every unary method is served as a stream of requests, of which exactly one is taken.
"""

from __future__ import annotations

import zlib
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from infrastructure.rpc.contract import Method
from server.interception.chain import BeforeCall, Call, Handler, Result
from server.interception.refusals import Refusal
from server.interception.waits import LateError, Waits

MESSAGE_SECONDS_MAX = 5
"""From the caller's headers to the end of its message."""
ENVELOPE_BYTES_MAX = 4 << 10
"""What Envoy adds to a body when it makes a message of it: variables of the path, and a type."""

# How gzip and zlib begin. No message of ours begins so: the first is no type of protobuf's, the
# second a field 15, which no request has.
_PACKED = (b"\x1f", b"\x78")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class OneMessage(BeforeCall):
    """Refuses a call without a message, with two, or with more bytes than its class may have.

    It stands behind the caller's proof, so that nobody is waited for who has none.
    """

    def __init__(self, *, seconds_max: float = MESSAGE_SECONDS_MAX) -> None:
        self._waits = Waits(seconds_max)

    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        waits = self._waits
        bytes_max = method.request_bytes_max
        decode = method.request_class.FromString

        async def step(_: Message, call: Call) -> Result:
            # What Envoy made from JSON is one message, and the look for a second one has a price.
            is_json = call.came_as_json
            data = await one_message(call.context, waits, looks_for_second=not is_json)
            data = within(bytes_max + ENVELOPE_BYTES_MAX * is_json, data)
            return await proceed(readable(decode, data), call)

        return step


async def one_message(context: Any, waits: Waits, *, looks_for_second: bool = True) -> bytes:
    """The bytes of the only message of a call.

    Raises:
        Refusal: it does not come, comes too late, or is not the only one.
    """
    try:
        with waits:
            data = await context.read()
            if data is grpc.aio.EOF:
                raise _malformed("The call has no message; this method takes exactly one.")
            if looks_for_second and await context.read() is not grpc.aio.EOF:
                raise _malformed("The call has several messages; this method takes exactly one.")
    except LateError as late:
        raise Refusal(
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            reason="MESSAGE_LATE",
            message=f"The call's message did not arrive whole within {MESSAGE_SECONDS_MAX} "
            "seconds, or the call was left open behind it.",
        ) from late
    return bytes(data)


def within(bytes_max: int, data: bytes) -> bytes:
    """The message as it was before the caller compressed it.

    gRPC leaves it compressed, so that no more is unpacked than the class allows; what says so
    in the frame does not reach us.

    Raises:
        Refusal: it has more bytes, packed or unpacked.
    """
    plain = data
    if data[:1] in _PACKED and len(data) <= bytes_max:
        unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            plain = unpacker.decompress(data, bytes_max + 1)
        except zlib.error:
            return data
        if not unpacker.eof and len(plain) <= bytes_max:
            return data
    if len(plain) > bytes_max:
        raise Refusal(
            code=grpc.StatusCode.OUT_OF_RANGE,
            reason="BODY_TOO_LARGE",
            message=f"The request is larger than {bytes_max} bytes; send less at once.",
        )
    return plain


def readable(decode: Any, data: bytes) -> Message:
    """The message that the bytes are.

    Raises:
        Refusal: they are none of this type. Left alone, gRPC would say that the fault is ours.
    """
    try:
        message: Message = decode(data)
    except DecodeError as failure:
        raise _malformed(
            "The request cannot be read; its texts are UTF-8, and its type is the method's own."
        ) from failure
    return message


def _malformed(message: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT, reason="REQUEST_MALFORMED", message=message
    )
