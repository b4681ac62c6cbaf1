"""`python -m bench`: starts a durable stack of its own, measures, prints a table, stops."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path

# gRPC would say at every process that is started that it leaves forks alone.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import click
import uvloop
from rich.console import Console
from rich.table import Table

from bench.process_rows import process_rows
from bench.requests_rows import request_rows
from bench.reward_row import reward_rows
from bench.shop import DAY_SECONDS, open_shop
from infrastructure.database.engine import create_engine
from localmesh.progress import LineReporter
from localmesh.stack import Stack
from server.running_stack import read_running


@click.command()
@click.option("--full", is_flag=True, help="Also beside a million stored events. Takes a minute.")
def main(full: bool) -> None:
    """Prints each figure of ours, the floor measured in the same run, and the ratio."""
    console = Console()
    # The load comes from uvloop, which starts no process as another user; so the stack has a loop
    # of its own. That one rests meanwhile: a part that dies is not started again.
    with (
        tempfile.TemporaryDirectory(prefix="guerdon-bench-", ignore_cleanup_errors=True) as name,
        asyncio.Runner() as starter,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        # All load comes from one address here.
        as_all = {"GUERDON_ADDRESS_RATE_LIMITS": "tracking=2000/4000, webhook=2000/4000"}
        stack = Stack(
            folder=Path(name),
            environment={**os.environ, **as_all},
            reporter=LineReporter(console.print),
        )
        starter.run(stack.start())
        try:
            runner.run(measure(stack, console, full=full))
        finally:
            starter.run(stack.stop())


async def measure(running: Stack, console: Console, *, full: bool) -> None:
    """Measures everything on a stack."""
    found = read_running(running.folder)
    assert found is not None, "a stack that started can be found"
    # Floors have tables of their own, so they are measured as the owner.
    stack = replace(found, database_url=running.owner_url)
    table = _table()
    environment = {
        "GUERDON_DATABASE_URL": stack.database_url,
        "GUERDON_SERVICE_TOKEN": stack.service_token,
        "GUERDON_SECRETS_KEY": (running.folder / "secrets.key").read_text().strip(),
    }
    engine = create_engine(stack.database_url, pool_size=4, application_name="bench")
    shop = await open_shop(stack, reward_delay_seconds=DAY_SECONDS)
    for row in await request_rows(stack, engine, shop):
        table.add_row(
            row.name,
            f"{row.load.per_second:,.0f} /s",
            f"{row.load.p50_milliseconds:.0f} / {row.load.p99_milliseconds:.0f} ms",
            f"{row.floor_per_second:,.0f} /s",
            f"{row.load.per_second / row.floor_per_second:.1%}",
        )
    workers = await open_shop(stack, reward_delay_seconds=0)
    for line in await reward_rows(stack, engine, workers, full=full):
        table.add_row(
            line.name,
            f"{line.per_second:,.0f} /s",
            "",
            f"{line.floor_per_second:,.0f} /s",
            f"{line.per_second / line.floor_per_second:.1%}",
        )
    for figure in await process_rows(environment):
        table.add_row(
            figure.name,
            f"{figure.ours:,.1f} {figure.unit}",
            "",
            f"{figure.floor:,.1f} {figure.unit}",
            f"{figure.ours / figure.floor:.2f} times",
        )
    await engine.dispose()
    console.print(table)
    console.print(
        "Floor: what the same machine does without us, in the same run. Of rates: pgbench writing "
        "the same rows, so more is better and 100% is out of reach. Of times and memory: a bare "
        "gRPC server, so less is better. `python -m bench --full` adds a million stored events. "
        f"{os.cpu_count()} cores, load generator and floors included; fsync on."
    )


def _table() -> Table:
    table = Table(title="Ours beside the floor; requests go through Envoy", title_justify="left")
    table.add_column("")
    for name in ("ours", "p50 / p99", "floor", "ratio"):
        table.add_column(name, justify="right")
    return table


if __name__ == "__main__":
    main()
