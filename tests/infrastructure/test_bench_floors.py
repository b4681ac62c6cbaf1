"""The statements that our figures are held against fit our tables."""

from __future__ import annotations

import re
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.floors import SCRIPTS


async def test_the_rows_of_a_floor_are_taken(engine: AsyncEngine) -> None:
    """A new column would end the bench, and nobody would know until somebody runs it."""
    # The floor of deciding has tables of its own, which its bench makes.
    scripts = [path.read_text() for path in sorted(SCRIPTS.glob("*.sql"))]
    ours = [script for script in scripts if "floor_" not in script]
    assert ours
    for script in ours:
        assert await rows_written(engine, script) >= 2, f"rows of several tables: {script}"


async def rows_written(engine: AsyncEngine, script: str) -> int:
    """How many rows a script writes. None of them stays."""
    lines = script.splitlines()
    body = "\n".join(each for each in lines if not each.startswith(("--", "\\set")))
    # What pgbench puts in: an id, and numbers.
    filled = re.sub(r"(?<!:):(?!merchant_id)[a-z_]+", "1", body)
    filled = filled.replace(":merchant_id", f"'{uuid4()}'")
    written = 0
    async with engine.connect() as connection, connection.begin() as outer:
        for statement in filled.split(";\n"):
            if statement.strip(" ;\n") not in {"", "BEGIN", "COMMIT"}:
                written += (await connection.exec_driver_sql(statement)).rowcount
        await outer.rollback()
    return written
