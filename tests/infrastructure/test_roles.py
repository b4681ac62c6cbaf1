"""The role that processes work as can do what they do, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.rewards.model.event import DECISIONS_KEPT
from infrastructure.database.engine import database_of
from infrastructure.database.partitions import keep_months
from infrastructure.database.rights import rows_of
from infrastructure.database.roles import (
    UnusableRoleError,
    find_rights,
    grant_rights,
    require_role,
)
from infrastructure.database.transaction import Database
from localmesh.postgres import ROLE, Postgres
from server.tables import EVERY_TABLE
from tests.support.mesh import own_database, url_of

APPENDED = {
    "budget_entry",
    "decision",
    "identity_group",
    "ledger_unit",
    "touchpoint",
    "transfer",
}
_roles = count()
_PARTITIONS = "SELECT relname FROM pg_class WHERE relname ~ '^decision_[0-9]{6}$' ORDER BY 1"

_PARTITION = """
    DO $$ BEGIN EXECUTE format(
        'CREATE TABLE {name} PARTITION OF decision FOR VALUES FROM (%L) TO (%L)',
        date_trunc('month', timestamptz '{month}'),
        date_trunc('month', timestamptz '{month}') + interval '1 month'); END $$
"""


def attempts() -> Iterator[str]:
    """What a process must not be able to do, whoever has taken it over."""
    for table in EVERY_TABLE:
        name, said = table.name, rows_of(table)
        fixed = [each.name for each in table.c if each.name not in said.changed]
        for column in fixed:
            yield f"UPDATE {name} SET {column} = DEFAULT"
        if not said.are_deleted:
            yield f"DELETE FROM {name}"
        yield f"TRUNCATE {name} CASCADE"
        yield f"DROP TABLE {name} CASCADE"
        yield f"ALTER TABLE {name} ADD COLUMN extra text"
        yield f"ALTER TABLE {name} DISABLE TRIGGER ALL"
        yield f"CREATE INDEX extra ON {name} ((1))"
        yield f"CREATE TRIGGER extra BEFORE INSERT ON {name} EXECUTE FUNCTION nothing()"
    yield from (
        "CREATE TABLE extra (number integer)",
        "CREATE TEMPORARY TABLE transfer (number integer)",
        "CREATE TABLE extra PARTITION OF decision DEFAULT",
        "CREATE VIEW extra AS SELECT 1",
        "CREATE SEQUENCE extra",
        "CREATE SCHEMA extra",
        "CREATE ROLE extra",
        "CREATE FUNCTION extra() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION keep_decision_months() RETURNS void LANGUAGE sql AS ''",
        "ALTER FUNCTION keep_decision_months() SET search_path = pg_temp",
        "DROP FUNCTION keep_decision_months()",
        # Harmful: a time at which everything is too old.
        "SELECT keep_decision_months_as_of('2999-01-01')",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('9999')",
        "DROP TABLE decision_default",
        "ALTER TABLE decision DETACH PARTITION decision_default",
        "SELECT FROM decision_default",
        "DELETE FROM decision_default",
        "INSERT INTO decision_default DEFAULT VALUES",
        "TRUNCATE decision_default",
        "SELECT FROM transfer FOR UPDATE",
        "LOCK TABLE transfer IN ACCESS EXCLUSIVE MODE",
        "COPY transfer TO '/tmp/extra'",
        f"ALTER ROLE {ROLE} SUPERUSER",
        "SET ROLE guerdon",
    )


async def test_what_no_process_does_is_refused(postgres: Postgres, engine: AsyncEngine) -> None:
    """A process that somebody took over could rewrite the books, and nobody would see it."""
    async with engine.begin() as connection:
        await connection.execute(text("SELECT keep_decision_months()"))
        partitions = (await connection.execute(text(_PARTITIONS))).scalars().all()
    url = make_url(postgres.role_url_of(make_url(url_of(engine)).database or ""))
    # As a process connects, not by SET ROLE.
    role = await asyncpg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        database=url.database,
    )
    allowed = []
    try:
        assert partitions
        dropped = [f"DROP TABLE {name}" for name in partitions]
        for attempt in (*attempts(), *dropped):
            try:
                async with role.transaction():
                    await role.execute(attempt)
                    allowed.append(attempt)
            except asyncpg.InsufficientPrivilegeError:
                continue
            except asyncpg.PostgresError as other:
                allowed.append(f"{attempt}: {other.sqlstate} {other}")
    finally:
        await role.close()
        async with engine.begin() as connection:
            for name in partitions:
                await connection.execute(text(f"DROP TABLE {name}"))
    assert allowed == []


def test_what_is_only_appended_says_so() -> None:
    """A table of the books would become one whose rows may change, unnoticed."""
    said = {table.name: rows_of(table) for table in EVERY_TABLE}
    assert {
        name for name, each in said.items() if not each.changed and not each.are_deleted
    } == APPENDED


async def test_the_role_keeps_the_months_and_no_more(
    acting_engine: AsyncEngine, engine: AsyncEngine
) -> None:
    """Decisions would pile up in one table, because only the owner can make another."""
    acting = database_of(acting_engine)
    now = datetime.now(UTC)
    old = now - DECISIONS_KEPT
    kept, gone = f"decision_{old:%Y%m}", "decision_200001"
    try:
        async with engine.begin() as connection:
            for name, month in ((kept, old), (gone, datetime(2000, 1, 1, tzinfo=UTC))):
                await connection.execute(text(_PARTITION.format(name=name, month=month)))
        for _ in range(2):
            async with acting.transaction() as tx:
                # What a session sets has no say in what is made, where, and by which names.
                await tx.execute(text("SET LOCAL TimeZone = 'Pacific/Kiritimati'"))
                await tx.execute(text("SET LOCAL search_path = pg_temp, public"))
                await keep_months(tx)
            async with engine.connect() as connection:
                found = (await connection.execute(text(_PARTITIONS))).scalars().all()
            assert found[0] == kept
            assert len(found) == 4
            assert found[1] == f"decision_{now:%Y%m}"
    finally:
        async with engine.begin() as connection:
            for name in (await connection.execute(text(_PARTITIONS))).scalars().all():
                await connection.execute(text(f"DROP TABLE {name}"))


@asynccontextmanager
async def a_role(engine: AsyncEngine, options: str = "") -> AsyncIterator[str]:
    """A role of a name that needs quotes; gone in the end."""
    name = f"Of a test {next(_roles)}"
    async with engine.begin() as connection:
        await connection.execute(text(f'CREATE ROLE "{name}" {options}'))
    try:
        yield name
    finally:
        async with engine.begin() as connection:
            await connection.execute(text(f'DROP OWNED BY "{name}"'))
            await connection.execute(text(f'DROP ROLE "{name}"'))


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def test_what_is_needed_no_more_is_taken_back(postgres: Postgres) -> None:
    """Rights would only ever grow."""
    async with own_database(postgres, pool_size=2) as engine, a_role(engine) as role:
        await run(engine, f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
        await run(engine, f'GRANT CREATE ON SCHEMA public TO "{role}"')
        await run(engine, "SELECT keep_decision_months()")
        for _ in range(2):
            await grant_rights(engine, role, EVERY_TABLE)
            async with database_of(engine).single() as tx:
                found = await find_rights(tx, EVERY_TABLE, role=role)
            assert (found.missing, found.beyond) == ([], [])


async def test_rights_by_another_way_are_told(postgres: Postgres) -> None:
    """An operator would believe that the role has the least it needs."""
    async with own_database(postgres, pool_size=2) as engine, a_role(engine) as role:
        await run(engine, "GRANT DELETE ON transfer TO PUBLIC")
        with pytest.raises(UnusableRoleError, match="also has DELETE on transfer, by PUBLIC"):
            await grant_rights(engine, role, EVERY_TABLE)


async def refusal_of(database: Database, role: str) -> str:
    async with database.single() as tx:
        with pytest.raises(UnusableRoleError) as raised:
            await require_role(tx, role, EVERY_TABLE)
    return str(raised.value)


async def test_a_role_that_cannot_be_the_one_is_refused(postgres: Postgres) -> None:
    """The tables would be migrated, and processes work with the rights of their owner."""
    async with own_database(postgres, pool_size=2) as engine:
        database = database_of(engine)
        assert "There is no role nobody_knows" in await refusal_of(database, "nobody_knows")
        assert "is a superuser" in await refusal_of(database, "guerdon")
        async with a_role(engine) as role:
            await run(engine, f'GRANT guerdon TO "{role}"')
            assert "is a member of who does" in await refusal_of(database, role)
            await run(engine, f'REVOKE guerdon FROM "{role}"')
            async with database.single() as tx:
                await require_role(tx, role, EVERY_TABLE)
