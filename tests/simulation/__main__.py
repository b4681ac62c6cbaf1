"""Runs seeds by hand: `make simulate SEEDS=200 FIRST=1 TIMES=1`."""

from __future__ import annotations

import asyncio
import os
import sys

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import click

from tests.simulation.running import run_seeds, shorten
from tests.simulation.simulation import simulation_on
from tests.support.postgres import start_test_postgres


async def run(first: int, count: int, times: int) -> bool:
    """Runs seeds until one fails; whether none did."""
    with start_test_postgres() as postgres:
        async with simulation_on(postgres.url_of, postgres.url) as simulation:
            async for result in run_seeds(simulation, first=first, count=count, times=times):
                seeds = f"seeds {result.seeds[0]} to {result.seeds[-1]}"
                click.echo(f"{seeds}: {result.seconds:.1f} s")
                if result.failure is not None:
                    click.echo(result.failure.told)
                    shorter = await shorten(simulation, result.failure)
                    click.echo(f"a shorter history that fails:\n{shorter}" if shorter else "")
                    return False
    return True


@click.command()
@click.option("--first", default=1, show_default=True, help="The first seed.")
@click.option("--seeds", default=200, show_default=True, help="How many seeds.")
@click.option("--times", default=1, show_default=True, help="How often all of them are run.")
def main(first: int, seeds: int, times: int) -> None:
    """Runs seeds against the real services, and tells of the first that fails."""
    sys.exit(not asyncio.run(run(first, seeds, times)))


if __name__ == "__main__":
    main()
