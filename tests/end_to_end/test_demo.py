"""The demo: a real shop's history, told while parts of the mesh are killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infrastructure.database.engine import create_engine
from localmesh.demo.command import EXAMPLE, SEED
from localmesh.demo.plan import plan, read_purchases
from localmesh.stack import Stack

GOLDEN = Path(__file__).parent.parent / "golden"
LIMIT_SECONDS = 300
DAYS = 30


@pytest.mark.timeout(LIMIT_SECONDS + 60)
async def test_the_story_ends_alike_whoever_is_killed_on_the_way(
    stack: Stack, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Somebody's rewards would depend on whether a process died while they were decided.

    The golden totals are those of a run in which nothing was killed. This is the beginning of the
    story; `whole_demo.py` beside this file tells all of it.
    """
    told = await told_with_kills(stack, tmp_path, days=DAYS)
    told.holds(GOLDEN / "demo-begin.txt", is_rewritten=request.config.getoption("--update-golden"))
    assert told.bound_count >= 1, "the budget binds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the story ended."""

    bound_count: int
    totals: str

    def holds(self, golden: Path, *, is_rewritten: bool) -> None:
        """Fails unless the totals are the golden ones."""
        if is_rewritten:
            golden.write_text(self.totals)
        assert self.totals == golden.read_text()


async def told_with_kills(stack: Stack, folder: Path, *, days: int | None = None) -> Told:
    """Tells the story, or its first days. Half-way, a server and the worker are killed."""
    order_count = sum(
        len(day.orders) for day in plan(read_purchases(EXAMPLE / "cdnow_sample.txt"), SEED)[:days]
    )
    totals, picture = folder / "totals.txt", folder / "demo.png"
    options = [f"--totals={totals}", f"--picture={picture}"]
    options += [] if days is None else [f"--days={days}"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "demo", *options),
        cwd=stack.folder.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _until_orders(stack, order_count // 2)
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
    assert reported.groups() == (f"{order_count:,}", "200")
    bound = re.search(r"The budget bound in (\d+) of (\d+) months", output)
    assert bound is not None, output
    assert "The books agree." in output
    assert picture.read_bytes().startswith(b"\x89PNG")
    return Told(bound_count=int(bound[1]), totals=totals.read_text())


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
