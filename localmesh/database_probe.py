"""Whether a database of somebody's own is one that we can use."""

from __future__ import annotations

from sqlalchemy import text

from infrastructure.database.engine import create_engine
from server.causes import database_fault

# As PostgreSQL counts: 18.0.
_VERSION_MIN = 180_000
_VERSION = text("SHOW server_version_num")


async def problem_of_database(url: str) -> str:
    """What is wrong with a database, in a sentence; empty means nothing."""
    try:
        version = await _version_of(url)
    except Exception as problem:
        fault = database_fault(problem)
        if fault is None:
            raise
        return fault
    if version < _VERSION_MIN:
        needed, found = _VERSION_MIN // 10_000, version // 10_000
        return (
            f"The database is PostgreSQL {found}; {needed} or newer is needed. See "
            "GUERDON_DATABASE_URL."
        )
    return ""


async def _version_of(url: str) -> int:
    engine = create_engine(url, pool_size=1, application_name="up")
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(_VERSION)).scalar_one())
    finally:
        await engine.dispose()
