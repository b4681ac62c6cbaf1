"""The role that processes work as: given what the tables say that is done to them, no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.partitions import KEEP_MONTHS
from infrastructure.database.rights import rows_of
from infrastructure.database.schema import MIGRATING
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction

_VERSIONS = "alembic_version"

_ROLE = text(
    "SELECT rolsuper, rolname = current_user AS is_asking FROM pg_roles WHERE rolname = :role"
)
_OWNS = text(
    """
    SELECT EXISTS (
        SELECT FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:names)
          AND pg_has_role(CAST(:role AS name), relowner, 'MEMBER'))
    """
)
_BELONGS = text("SELECT pg_has_role(CAST(:role AS name), current_user, 'MEMBER')")
_SCHEMA = text(
    """
    SELECT current_schema() AS name, current_user AS role_name,
           has_schema_privilege(CAST(:role AS name), current_schema(), 'USAGE') AS is_used,
           has_schema_privilege(CAST(:role AS name), current_schema(), 'CREATE') AS is_changed,
           COALESCE(has_function_privilege(CAST(:role AS name), to_regprocedure(:function),
                                           'EXECUTE'), false) AS is_kept
    """
)
_TABLES = sql_file(__file__, "list_tables.sql")
_PARTITIONS = text(
    """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relispartition AND relkind = 'r'
    """
)
_WRITING = {"INSERT", "DELETE", "TRUNCATE", "TRIGGER", "MAINTAIN", "REFERENCES"}


class UnusableRoleError(Exception):
    """The role cannot be the one that processes work as. One sentence: why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a role may not do although it needs to, and what it may do beyond that."""

    role: str
    missing: Sequence[str]
    beyond: Sequence[str]


async def require_role(tx: Transaction, role: str, tables: Sequence[Table]) -> None:
    """Raises UnusableRoleError unless there is such a role, which owns nothing of ours."""
    found = (await tx.execute(_ROLE, {"role": role})).one_or_none()
    if found is None:
        raise UnusableRoleError(
            f"There is no role {role}: make it with `CREATE ROLE … LOGIN`, or name another one."
        )
    if found.rolsuper:
        raise UnusableRoleError(
            f"The role {role} is a superuser, who may do anything: name one that is not."
        )
    asked = {"role": role, "names": [*_names(tables)]}
    owns = (await tx.execute(_OWNS, asked)).scalar_one()
    if found.is_asking and not owns:
        raise UnusableRoleError(
            f"The role {role} is the one that this command connects as: connect as the owner of "
            "the tables, and name the role that processes work as."
        )
    if owns or (await tx.execute(_BELONGS, {"role": role})).scalar_one():
        raise UnusableRoleError(
            f"The role {role} owns the tables or is a member of who does, and may do anything to "
            "them: name one that does not."
        )


async def grant_rights(engine: AsyncEngine, role: str, tables: Sequence[Table]) -> None:
    """Gives a role what processes need, and takes from it what they need no more.

    One transaction, so that processes which run meanwhile lose nothing. Doing it twice changes
    nothing.

    Raises:
        UnusableRoleError: the role still has more, or less, by other ways.
    """
    async with engine.begin() as connection:
        # Two at once would change the same rows of PostgreSQL's own tables.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
        for statement in await _statements(connection, role, tables):
            await connection.execute(text(statement))
    async with engine.connect() as connection:
        found = await find_rights(Transaction(connection), tables, role=role)
    if found.missing:
        raise UnusableRoleError(
            f"The role {role} could not be given {listed(found.missing)}: connect as the owner of "
            "the tables and of their schema."
        )
    if found.beyond:
        raise UnusableRoleError(
            f"The role {role} also has {listed(found.beyond)}, by PUBLIC or by another role: take "
            "that from it with REVOKE."
        )


async def find_rights(
    tx: Transaction, tables: Sequence[Table], *, role: str | None = None
) -> Rights:
    """Compares what a role may do, by whatever way, with what the tables say. Default: ours."""
    if role is None:
        role = (await tx.execute(text("SELECT current_user"))).scalar_one()
    schema = (await tx.execute(_SCHEMA, {"role": role, "function": f"{KEEP_MONTHS}()"})).one()
    missing = [] if schema.is_used else [f"USAGE on schema {schema.name}"]
    missing += [] if schema.is_kept else [f"EXECUTE on {KEEP_MONTHS}"]
    beyond = [f"CREATE on schema {schema.name}"] if schema.is_changed else []
    known = {table.name: table for table in tables}
    asked = {"role": role, "names": [*_names(tables)]}
    for row in await tx.execute(_TABLES, asked):
        held = {*row.held, *(f"UPDATE ({column})" for column in row.changed)}
        needed = {*_needed(known.get(row.name), is_partition=row.is_partition)}
        missing += [f"{each} on {row.name}" for each in sorted(needed - held)]
        more = {each for each in held - needed if each in _WRITING or each.startswith("UPDATE")}
        beyond += [f"{each} on {row.name}" for each in sorted(more)]
    return Rights(role=role, missing=missing, beyond=beyond)


def listed(rights: Sequence[str], *, shown: int = 3) -> str:
    """A few rights by name, and how many more there are."""
    more = [f"{len(rights) - shown} more"] if len(rights) > shown else []
    *most, last = [*rights[:shown], *more]
    return f"{', '.join(most)} and {last}" if most else last


def _names(tables: Sequence[Table]) -> Iterator[str]:
    yield _VERSIONS
    yield from (table.name for table in tables)


def _needed(table: Table | None, *, is_partition: bool) -> Iterator[str]:
    """What is needed of a table. Of a partition nothing is: its table stands for it."""
    if is_partition:
        return
    yield "SELECT"
    if table is None:
        return
    yield "INSERT"
    rows = rows_of(table)
    yield from (f"UPDATE ({column})" for column in rows.changed)
    if rows.are_deleted:
        yield "DELETE"


async def _statements(
    connection: AsyncConnection, role: str, tables: Sequence[Table]
) -> Sequence[str]:
    quote = connection.dialect.identifier_preparer.quote
    to = quote(role)
    function = f"{KEEP_MONTHS}()"
    schema = (await connection.execute(_SCHEMA, {"role": role, "function": function})).one()
    partitions = (await connection.execute(_PARTITIONS)).scalars().all()
    known = ", ".join(quote(name) for name in (*_names(tables), *partitions))
    statements = [f"REVOKE ALL ON TABLE {known} FROM {to}"]
    # The schema's owner need not be that of the tables, and may have seen to it already.
    if schema.is_changed:
        statements.append(f"REVOKE CREATE ON SCHEMA {quote(schema.name)} FROM {to}")
    if not schema.is_used:
        statements.append(f"GRANT USAGE ON SCHEMA {quote(schema.name)} TO {to}")
    statements += [
        f"GRANT EXECUTE ON FUNCTION {function} TO {to}",
        f"GRANT SELECT ON TABLE {_VERSIONS} TO {to}",
    ]
    for table in tables:
        rows = rows_of(table)
        rights = ["SELECT", "INSERT"]
        if rows.changed:
            rights.append(f"UPDATE ({', '.join(map(quote, rows.changed))})")
        if rows.are_deleted:
            rights.append("DELETE")
        statements.append(f"GRANT {', '.join(rights)} ON TABLE {quote(table.name)} TO {to}")
    return statements
