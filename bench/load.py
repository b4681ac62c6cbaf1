"""A load generator for Envoy: HTTP/1.1 over kept connections, requests made beforehand.

It shares the machine with what it measures, so it does as little as it can: no client
library, no JSON, no clock but one reading before and after each request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load came to: requests a second, and the time of a request in milliseconds."""

    per_second: float
    p50_milliseconds: float
    p99_milliseconds: float


def request(host: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """The bytes of a POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {host}",
        f"content-length: {len(body)}",
        "content-type: application/json",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + HEAD_END + body


async def send_all(host: str, port: int, requests: Sequence[bytes], *, connections: int) -> Load:
    """Sends every request once, as fast as answers come. All must be answered with 200."""
    queue = iter(requests)
    spans: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for each in queue:
            begin = time.perf_counter()
            writer.write(each)
            head = await reader.readuntil(HEAD_END)
            length = _length(head)
            body = await reader.readexactly(length) if length else b""
            spans.append(time.perf_counter() - begin)
            if not head.startswith(b"HTTP/1.1 200"):
                message = f"{head.splitlines()[0].decode()}: {body.decode()}"
                raise RuntimeError(message)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    seconds = time.perf_counter() - begin
    spans.sort()
    return Load(
        per_second=len(spans) / seconds,
        p50_milliseconds=spans[len(spans) // 2] * 1000,
        p99_milliseconds=spans[len(spans) * 99 // 100] * 1000,
    )


def _length(head: bytes) -> int:
    start = head.find(LENGTH)
    return int(head[start + len(LENGTH) : head.find(b"\r\n", start)]) if start >= 0 else 0
