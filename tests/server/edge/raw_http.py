"""Requests of HTTP/1 written by hand: what a client library would refuse to send."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

EMPTY_MESSAGE = b"\0\0\0\0\0"
ANSWER_SECONDS_MAX = 20


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


async def send(target: str, *pieces: bytes) -> bytes:
    """Sends bytes and returns all that comes back until the connection is closed."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            return await reader.read()
    finally:
        writer.close()


async def ask(target: str, *pieces: bytes) -> RawAnswer:
    """The same, as one answer."""
    return parsed(await send(target, *pieces))


def parsed(answer: bytes) -> RawAnswer:
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return RawAnswer(status=int(first.split()[1]), headers=headers, rest=rest)
