"""The statements that our figures are held against fit our tables."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.floors import SCRIPTS

# The floor of deciding has tables of its own, which its bench makes.
OF_OUR_TABLES = [each for each in SCRIPTS.glob("*.sql") if "floor_" not in each.read_text()]


@pytest.mark.parametrize("script", sorted(each.name for each in OF_OUR_TABLES))
async def test_the_rows_of_a_floor_are_taken(engine: AsyncEngine, script: str) -> None:
    """A new column would end the bench, and nobody would know until somebody runs it."""
    lines = (SCRIPTS / script).read_text().splitlines()
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
    assert written >= 2, "rows of several tables"
