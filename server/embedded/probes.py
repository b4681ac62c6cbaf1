"""Questions to a part of the stack. Each answer is what is still wrong; empty means nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from infrastructure.database.engine import create_engine
from server.embedded.ports import LOOPBACK

# As PostgreSQL counts: 18.0.
_VERSION_MIN = 180_000
_VERSION = text("SHOW server_version_num")

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
    for host in (host for cluster in clusters for host in cluster.get("host_statuses", ())):
        if host["address"]["socket_address"]["port_value"] == port:
            is_failing = host["health_status"].get("failed_active_health_check", False)
            return f"Envoy does not find port {port} healthy yet" if is_failing else ""
    return f"Envoy knows no server at port {port}"


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


async def complaint_of_database(url: str) -> str:
    """Whether a database of somebody's own is one that we can use."""
    if not url.startswith("postgresql+asyncpg://"):
        return "it does not begin with postgresql+asyncpg://"
    try:
        version = await _version_of(url)
    except DBAPIError as problem:
        return f"the database cannot be reached: {problem.orig}"
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return f"the database cannot be reached: {problem or type(problem).__name__}"
    # A port that is no number, a parameter that the driver does not know.
    except (ValueError, TypeError) as problem:
        return f"it cannot be read: {problem}"
    if version < _VERSION_MIN:
        needed, found = _VERSION_MIN // 10_000, version // 10_000
        return f"the database is PostgreSQL {found}; {needed} or newer is needed"
    return ""


async def _version_of(url: str) -> int:
    engine = create_engine(url, pool_size=1, application_name="up")
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(_VERSION)).scalar_one())
    finally:
        await engine.dispose()


async def complaint_of_nothing() -> str:
    """For a part that listens nowhere, as a worker does: it is ready when it runs."""
    return ""
