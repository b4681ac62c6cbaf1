"""Requests of HTTP/1 written by hand: what a client library would refuse to send."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass

EMPTY_MESSAGE = b"\0\0\0\0\0"
ANSWER_SECONDS_MAX = 20
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An answer as it came. `rest` is all that followed its headers."""

    status: int
    headers: dict[str, str]
    rest: bytes


def request(verb: str, path: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """A request; each of the headers is a line of it."""
    lines = [f"{verb} {path} HTTP/{version}", *headers]
    if version == "1.1":
        lines += ["host: guerdon", "connection: close"]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def native_request(path: str, *headers: str, verb: str = "POST") -> bytes:
    """A call of gRPC with an empty message, over HTTP/1."""
    return request(verb, path, "content-type: application/grpc", *headers, body=EMPTY_MESSAGE)


async def send(
    target: str, *pieces: bytes, is_whole: Callable[[bytes], bool] = lambda _: False
) -> bytes:
    """Sends bytes and returns all that comes back until the connection is closed.

    Its own side is closed once the answer is whole: Envoy waits a second for that, now and then.
    """
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = b""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while more := await reader.read(READ_BYTES):
                answer += more
                if is_whole(answer) and writer.can_write_eof():
                    writer.write_eof()
        return answer
    finally:
        writer.close()


async def ask(target: str, *pieces: bytes) -> RawAnswer:
    """The same, as one answer."""
    has_body = not pieces[0].startswith(b"HEAD ")

    def is_whole(answer: bytes) -> bool:
        if b"\r\n\r\n" not in answer:
            return False
        found = parsed(answer)
        if not has_body:
            return True
        if found.headers.get("transfer-encoding") == "chunked":
            return found.rest.endswith(b"0\r\n\r\n")
        return len(found.rest) >= int(found.headers.get("content-length", sys.maxsize))

    return parsed(await send(target, *pieces, is_whole=is_whole))


def parsed(answer: bytes) -> RawAnswer:
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return RawAnswer(status=int(first.split()[1]), headers=headers, rest=rest)
