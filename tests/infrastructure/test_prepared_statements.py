"""PostgreSQL itself reads every statement, against the schema that migrations make."""

from __future__ import annotations

import re
from collections.abc import Iterator

import asyncpg
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import ClauseElement

from orchestration.queries.ledger_check import INVARIANTS
from tests.support.statements import module_statements

STATEMENTS_MIN = 150
_PARAMETER = re.compile(r"\$([0-9]+)")
# SQLAlchemy writes as many parameters in its place as there are values.
_LIST_OF_VALUES = re.compile(r"__\[POSTCOMPILE_\w+\]")


def every_statement() -> Iterator[tuple[str, ClauseElement]]:
    """Those at the top of modules, each variant of a file among them, and those of the check."""
    yield from module_statements()
    for invariant in INVARIANTS:
        yield invariant.name, text(invariant.violations)


async def fault_of(driver: asyncpg.Connection, statement: ClauseElement) -> str:
    """What PostgreSQL does not take of a statement; empty if it takes it whole."""
    compiled = str(statement.compile(dialect=PGDialect_asyncpg()))  # type: ignore[no-untyped-call]
    try:
        prepared = await driver.prepare(_LIST_OF_VALUES.sub("NULL", compiled))
    except asyncpg.PostgresError as refused:
        return str(refused)
    sent = max((int(number) for number in _PARAMETER.findall(compiled)), default=0)
    if len(prepared.get_parameters()) != sent:
        return "a name with a colon in a comment would be sent as a parameter"
    return ""


async def test_postgresql_takes_every_statement(engine: AsyncEngine) -> None:
    """A column or table that is misspelt would be found by the first call that needs it."""
    faults = []
    count = 0
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        for name, statement in every_statement():
            count += 1
            fault = await fault_of(driver, statement)
            if fault:
                faults.append(f"{name}: {fault}")
    assert not faults, "\n".join(faults)
    assert count >= STATEMENTS_MIN
