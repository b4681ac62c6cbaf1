"""Tables that refuse rows, or take long over them, until a block ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from infrastructure.database.transaction import Database

FAIL = "RAISE EXCEPTION 'a fault';"


@asynccontextmanager
async def a_trigger(database: Database, table: str, event: str, body: str) -> AsyncIterator[None]:
    """Runs PL/pgSQL before each row of a table is written; `event` is INSERT or UPDATE."""
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "CREATE FUNCTION of_a_test() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$BEGIN {body} RETURN NEW; END$$"
            )
        )
        await tx.execute(
            text(
                f"CREATE TRIGGER of_a_test BEFORE {event} ON {table} FOR EACH ROW"
                " EXECUTE FUNCTION of_a_test()"
            )
        )
    try:
        yield
    finally:
        async with database.transaction() as tx:
            await tx.execute(text("DROP FUNCTION of_a_test() CASCADE"))
