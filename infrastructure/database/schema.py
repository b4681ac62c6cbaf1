"""The schema: brought up to date, and asked how far it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

MIGRATIONS = Path(__file__).resolve().with_name("migrations")
LOCK_TIMEOUT_SECONDS = 5
MIGRATING = 0x67756572646F6E
"""The advisory lock of whoever migrates: the letters of the product."""


@cache
def expected_revision() -> str:
    """The revision that this version of the code was written for."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head


@cache
def known_revisions() -> frozenset[str]:
    """Every revision that this version of the code knows."""
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return frozenset(script.revision for script in scripts)


async def migrate(engine: AsyncEngine, *, revision: str = "head") -> None:
    """Brings the schema up to a revision, or up to date. Two at once run one after the other.

    A migration waits at most seconds for a table's lock and then fails, because whoever
    comes after it in the queue for that lock would wait as well.
    """
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATING})
        try:
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
            await connection.execute(text("SET statement_timeout = 0"))
            await connection.commit()
            await connection.run_sync(_upgrade, revision)
            await connection.commit()
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATING})
            await connection.commit()
            await connection.invalidate()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
