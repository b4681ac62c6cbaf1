"""The demo: a real shop's history, told while parts of the mesh are killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infrastructure.database.engine import create_engine
from localmesh.stack import Stack

GOLDEN = Path(__file__).parent.parent / "golden" / "demo.txt"
ORDERS = 6_919
HALF_WAY = 3_000
LIMIT_SECONDS = 300


@pytest.mark.timeout(LIMIT_SECONDS + 60)
async def test_the_story_ends_alike_whoever_is_killed_on_the_way(
    stack: Stack, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Somebody's rewards would depend on whether a process died while they were decided.

    The golden totals are those of a run in which nothing was killed.
    """
    totals = tmp_path / "totals.txt"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server",
        "demo",
        f"--totals={totals}",
        f"--picture={tmp_path / 'demo.png'}",
        cwd=stack.folder.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _until_orders(stack, HALF_WAY)
        for name in ("work", "serve-1"):
            os.kill(stack.processes[name].pid, signal.SIGKILL)
        async with asyncio.timeout(LIMIT_SECONDS):
            output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output

    reported = re.search(r"reported by the shop\D+([0-9,]+)\D+([0-9,]+)", output)
    assert reported is not None, output
    assert reported.groups() == (f"{ORDERS:,}", "200")
    bound = re.search(r"The budget bound in (\d+) of (\d+) months", output)
    assert bound is not None, output
    assert int(bound[1]) >= 2, "the budget binds in two months or more"
    assert "The books agree." in output
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(totals.read_text())
    assert totals.read_text() == GOLDEN.read_text()


async def _until_orders(stack: Stack, count: int) -> None:
    engine = create_engine(stack.database_url, pool_size=1, application_name="test")
    statement = text("SELECT count(*) FROM shop_order WHERE order_reference LIKE 'CD-%'")
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                try:
                    async with engine.connect() as connection:
                        if (await connection.execute(statement)).scalar_one() >= count:
                            return
                except (OSError, DBAPIError):
                    pass
                await asyncio.sleep(0.2)
    finally:
        await engine.dispose()
