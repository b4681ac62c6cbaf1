"""The schema that migrations make is the one that the tables declare."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.metadata import metadata
from server.tables import EVERY_TABLE


async def test_migrations_make_what_the_tables_declare(engine: AsyncEngine) -> None:
    """A statement would be checked against a table that production does not have."""
    assert EVERY_TABLE

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [
            each
            for each in compare_metadata(context, metadata)
            if "decision_" not in str(each) and "alembic_version" not in str(each)
        ]

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
