"""Questions to a part of the stack. Each answer is what is still wrong; empty means nothing."""

from __future__ import annotations

import asyncio
import http.client
from urllib.parse import urlsplit

from server.embedded.ports import LOOPBACK

_TIMEOUT_SECONDS = 2
_BODY_CHARACTERS_MAX = 500


def complaint_of_url(url: str) -> str:
    """Whether a GET is answered with 200. Blocks, two seconds at most; asks no proxy."""
    parts = urlsplit(url)
    assert parts.hostname is not None, url
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")[:_BODY_CHARACTERS_MAX]
    except (OSError, http.client.HTTPException) as problem:
        return f"GET {url} was not answered: {problem}"
    finally:
        connection.close()
    return "" if answer.status == http.HTTPStatus.OK else f"GET {url}: {answer.status} {body}"


async def complaint_of_port(port: int) -> str:
    """Whether somebody takes connections on a port of this host."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError as problem:
        return f"port {port} takes no connections: {problem}"
    writer.close()
    return ""


async def complaint_of_nothing() -> str:
    """For a part that listens nowhere, as a worker does: it is ready when it runs."""
    return ""
