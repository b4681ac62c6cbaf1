"""Whether a database of somebody's own is one that we can use."""

from __future__ import annotations

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from infrastructure.database.engine import create_engine

# As PostgreSQL counts: 18.0.
_VERSION_MIN = 180_000
_VERSION = text("SHOW server_version_num")


async def complaint_of_database(url: str) -> str:
    """What is wrong with a database; empty means nothing."""
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
