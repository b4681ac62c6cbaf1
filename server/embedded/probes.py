"""Questions to a part of the stack. Each answer is what is still wrong; empty means nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
from urllib.parse import urlsplit, urlunsplit

from server.embedded.ports import LOOPBACK

_TIMEOUT_SECONDS = 2
_BODY_CHARACTERS_MAX = 500


def complaint_of_url(url: str) -> str:
    """Whether a GET is answered with 200. Blocks, two seconds at most; asks no proxy."""
    try:
        status, body = _get(url)
    except (OSError, http.client.HTTPException) as problem:
        return f"GET {url} was not answered: {problem}"
    if status == http.HTTPStatus.OK:
        return ""
    return f"GET {url}: {status} {body[:_BODY_CHARACTERS_MAX].decode(errors='replace')}"


def complaint_of_envoy(admin_url: str, port: int) -> str:
    """Whether Envoy passes calls on to the server at a port of this host. Blocks."""
    url = f"{admin_url}/clusters?format=json"
    try:
        _, body = _get(url)
        clusters = json.loads(body)["cluster_statuses"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
        return f"GET {url} was not answered: {problem!r}"
    # Once in the cluster of each listener.
    found = [
        host["health_status"].get("failed_active_health_check", False)
        for cluster in clusters
        for host in cluster.get("host_statuses", ())
        if host["address"]["socket_address"]["port_value"] == port
    ]
    if not found:
        return f"Envoy knows no server at port {port}"
    return f"Envoy does not find port {port} healthy yet" if any(found) else ""


def _get(url: str) -> tuple[int, bytes]:
    """The status and the body of an answer. Asks no proxy."""
    parts = urlsplit(url)
    assert parts.hostname is not None, url
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", urlunsplit(("", "", *parts[2:])))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


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
