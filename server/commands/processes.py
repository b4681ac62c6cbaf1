"""The processes of a deployment: serve, work, migrate."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import click
import uvloop

from infrastructure.database.engine import create_engine
from infrastructure.database.schema import expected_revision
from infrastructure.database.schema import migrate as migrate_schema
from server.commands.mesh import asynchronous, explained_database_faults, find_mesh
from server.commands.retrying import retry_deliveries, retry_interactions
from server.logs import configure_logs
from server.settings import Settings, SettingsError, read_database_url, read_settings


@click.command()
def serve() -> None:
    """Answers RPCs until it is told to stop."""
    # Other commands start without it.
    from server.serving import AddressTakenError  # noqa: PLC0415
    from server.serving import serve as run  # noqa: PLC0415

    try:
        _run(run)
    except AddressTakenError as taken:
        raise click.ClickException(str(taken)) from taken


@click.group(invoke_without_command=True)
@click.pass_context
def work(context: click.Context) -> None:
    """Decides rewards and retries what failed, until it is told to stop."""
    if context.invoked_subcommand is not None:
        return
    from server.working import work as run  # noqa: PLC0415 - other commands start without it

    _run(run)


@work.command()
@click.option("--merchant", required=True, help="Whose: the merchant's id.")
@click.option("--interaction", help="Only this one; default: every dead one.")
@click.option("--delivery", help="Only this one; default: every dead one.")
@asynchronous
async def retry(merchant: str, interaction: str | None, delivery: str | None) -> None:
    """Has what is dead tried again: interactions to be decided, deliveries to be applied."""
    mesh = find_mesh()
    if delivery is None:
        count = await retry_interactions(mesh, merchant, interaction)
        click.echo(f"{count} interactions are decided again.")
    if interaction is None:
        count = await retry_deliveries(mesh, merchant, delivery)
        click.echo(f"{count} deliveries are applied again.")


@click.command()
def migrate() -> None:
    """Brings the database's schema up to date."""
    try:
        url = read_database_url(os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error

    async def run() -> None:
        engine = create_engine(url, pool_size=1, application_name="migrate")
        try:
            await migrate_schema(engine)
        finally:
            await engine.dispose()

    with explained_database_faults():
        asyncio.run(run())
    click.echo(f"The schema is at revision {expected_revision()}.")


def settings_or_exit() -> Settings:
    """The settings of the environment; says what is wrong with them and ends otherwise."""
    try:
        return read_settings(os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _run(run: Callable[[Settings], Awaitable[None]]) -> None:
    settings = settings_or_exit()
    configure_logs(level=settings.log_level, form=settings.log_format)

    async def main() -> None:
        await run(settings)

    factory = uvloop.new_event_loop if settings.event_loop == "uvloop" else None
    with explained_database_faults(), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
