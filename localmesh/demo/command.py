"""`guerdon demo`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from localmesh.demo.client import TIMEOUT_SECONDS, MeshClient
from localmesh.demo.plan import plan, read_purchases
from localmesh.demo.replay import EPILOGUE_ORDERS, Teller, open_channel
from localmesh.demo.report import draw, read_report, render
from localmesh.progress import LineReporter
from localmesh.stack import Stack
from server.commands.ledger import line_of, run_check
from server.commands.mesh import FOLDER, asynchronous
from server.running_stack import RunningStack, read_running

EXAMPLE = Path(__file__).resolve().with_name("cdnow")
CAMPAIGN_FILES = ("campaign-friends.json", "campaign-points.json")
SEED = 7


@click.command()
@click.option("--seed", default=SEED, show_default=True, help="Another seed, another story.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    default=FOLDER / "demo.png",
    show_default=True,
    help="Where the picture is drawn.",
)
@click.option("--totals", type=click.Path(dir_okay=False, path_type=Path), hidden=True)
@click.option("--days", "day_count", type=click.IntRange(min=1), hidden=True)
@asynchronous
async def demo(seed: int, picture: Path, totals: Path | None, day_count: int | None) -> None:
    """Tells a real shop's history, 6,919 orders, on the mesh that runs here or on one of its own.

    Customers arrive, some through links of earlier ones; they order, claim, return; a campaign
    pays them and who brought them, under a monthly budget. It ends with the books.
    """
    console = Console()
    days = plan(read_purchases(EXAMPLE / "cdnow_sample.txt"), seed)[:day_count]
    campaigns = [json.loads((EXAMPLE / name).read_text()) for name in CAMPAIGN_FILES]
    async with _running_mesh(console) as stack, _client(stack) as mesh:
        teller = Teller(mesh=mesh, campaigns=campaigns)
        story = await teller.open_shop(seed)
        console.print(f"Shop {story.merchant_id}: {len(days)} days of history, seed {seed}.")
        begin = time.monotonic()
        with _progress(console) as progress:
            history = progress.add_task("history", total=sum(len(day.orders) for day in days))
            for day in days:
                await teller.tell_day(story, day)
                progress.update(history, advance=len(day.orders), description=f"{day.day}")
            seconds = time.monotonic() - begin
            today = progress.add_task("today", total=EPILOGUE_ORDERS)
            customers = sorted({order.customer for day in days for order in day.orders})
            await teller.tell_epilogue(story, customers, lambda: progress.advance(today))
        report = await read_report(mesh, story)
        console.print(render(report, story, seconds=seconds, again_count=mesh.again_count))
        told = story.order_count + len(story.epilogue_references)
        if len(report.purchases) != told:
            message = f"{told:,} orders were told and {len(report.purchases):,} are known."
            raise click.ClickException(message)
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(report, picture)
        console.print(f"Picture: {picture}")
        if totals is not None:
            totals.write_text(report.fingerprint + "\n")
        findings = await run_check(stack.database_url)
    for finding in findings:
        console.print(line_of(finding))
    if any(finding.violation_count for finding in findings):
        message = "The books do not agree."
        raise click.ClickException(message)
    console.print("The books agree.")


@asynccontextmanager
async def _running_mesh(console: Console) -> AsyncIterator[RunningStack]:
    running = read_running(FOLDER)
    if running is not None:
        yield running
        return
    console.print("No mesh runs here; starting one. `guerdon up` keeps one running.")
    async with Stack(folder=FOLDER, environment=os.environ, reporter=LineReporter(console.print)):
        started = read_running(FOLDER)
        assert started is not None, "a stack that started can be found"
        yield started


@asynccontextmanager
async def _client(stack: RunningStack) -> AsyncIterator[MeshClient]:
    channel = open_channel(stack.mesh_address)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with channel, aiohttp.ClientSession(stack.public_url, timeout=timeout) as http:
        yield MeshClient(
            http=http, channel=channel, proof=(("x-service-auth", stack.service_token),)
        )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
