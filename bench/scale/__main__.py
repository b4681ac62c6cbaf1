"""`python -m bench.scale`: a PostgreSQL of its own, each situation beside a small one, a table."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from bench.scale.shop import Shop, open_shop
from bench.scale.situations import MEASURED_ONLY, SITUATIONS, Situation, begin_small
from bench.scale.timing import RATIO_MAX, Figure, at, warm_up
from infrastructure.database.engine import Limits, create_engine
from infrastructure.database.metadata import metadata
from infrastructure.database.schema import migrate
from localmesh.ports import PortWish, choose_ports
from localmesh.postgres import Postgres

_LIMITS = Limits(statement=timedelta(minutes=5), idle_in_transaction=timedelta(minutes=5))


@click.command()
@click.option("--only", default="", help="A word of the situation's name; default: all of them.")
def main(only: str) -> None:
    """Prints what each thing takes in a small and in a large situation; fails above twice."""
    with tempfile.TemporaryDirectory(prefix="guerdon-scale-", ignore_cleanup_errors=True) as name:
        port = choose_ports([PortWish(port=0)])[0]
        postgres = Postgres(folder=Path(name) / "postgres", port=port, durable=False)
        postgres.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                is_over = runner.run(measure(postgres, only))
        finally:
            postgres.stop()
    sys.exit(1 if is_over else 0)


async def measure(postgres: Postgres, only: str) -> bool:
    """Whether anything takes more than twice as long as in the small situation."""
    console = Console(width=120)
    chosen = [each for each in (*SITUATIONS, *MEASURED_ONLY) if only in each.name]
    is_over = False
    async with _shop(postgres, "scale_small") as small:
        for number, situation in enumerate(chosen):
            async with _shop(postgres, f"scale_large_{number}") as large:
                figures = await situation.measure(small, large)
            console.print(_table(situation, figures))
            is_over |= situation in SITUATIONS and any(each.is_over for each in figures)
    return is_over


@asynccontextmanager
async def _shop(postgres: Postgres, name: str) -> AsyncIterator[Shop]:
    """A shop that is warm. PostgreSQL learns of its tables only when told to."""
    connection = await postgres.connect("postgres")
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    engine = create_engine(
        postgres.url_of(name), pool_size=2, application_name="scale", limits=_LIMITS
    )
    await migrate(engine)
    async with engine.begin() as tx:
        for table in metadata.sorted_tables:
            if not table.dialect_options["postgresql"]["partition_by"]:
                await tx.execute(text(f'ALTER TABLE "{table.name}" SET (autovacuum_enabled = off)'))
    shop = await open_shop(engine)
    await begin_small(shop)
    await warm_up(shop)
    yield shop
    await engine.dispose()


def _table(situation: Situation, figures: Sequence[Figure]) -> Table:
    table = Table(title=situation.name, title_justify="left")
    table.add_column("", min_width=24)
    for heading in ("small", "large", "ratio", ""):
        table.add_column(heading, justify="right")
    for each in figures:
        table.add_row(
            each.name,
            f"{at(each.small, 0.5) * 1000:.2f} ms",
            f"{at(each.large, 0.5) * 1000:.2f} ms",
            f"{each.ratio:.2f}",
            _verdict(each),
        )
    return table


def _verdict(figure: Figure) -> str:
    if figure.is_over:
        return "over"
    if figure.ratio <= RATIO_MAX:
        return "OK"
    return "part" if figure.is_part else "noise"


if __name__ == "__main__":
    main()
