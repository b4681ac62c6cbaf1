"""Questions to a part of the stack. Each answer is what is still wrong; empty means nothing."""

from __future__ import annotations

import asyncio
import http.client
from urllib.parse import urlsplit

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
