"""The processes of a deployment: serve, work, migrate."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import click
import uvloop
from sqlalchemy.exc import DBAPIError

from domains.rewards.model.event import DECISIONS_KEPT
from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.partitions import keep_months
from infrastructure.database.schema import expected_revision
from infrastructure.database.schema import migrate as migrate_schema
from server.logs import configure_logs
from server.settings import Settings, SettingsError, read_settings


@click.command()
def serve() -> None:
    """Answers RPCs until it is told to stop."""
    from server.serving import serve as run  # noqa: PLC0415 - other commands start without it

    _run(run)


@click.command()
def work() -> None:
    """Decides rewards and retries what failed, until it is told to stop."""
    from server.working import work as run  # noqa: PLC0415 - other commands start without it

    _run(run)


@click.command()
def migrate() -> None:
    """Brings the database's schema up to date."""

    async def run(settings: Settings) -> None:
        engine = create_engine(settings.database_url, pool_size=1, application_name="migrate")
        try:
            await migrate_schema(engine)
            async with database_of(engine).transaction() as tx:
                await keep_months(tx, "decision", now=datetime.now(UTC), kept=DECISIONS_KEPT)
        finally:
            await engine.dispose()
        click.echo(f"The schema is at revision {expected_revision()}.")

    _run(run)


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
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            runner.run(main())
        except (OSError, DBAPIError, asyncpg.PostgresError) as failure:
            message = (
                f"The database cannot be used: {type(failure).__name__}. See GUERDON_DATABASE_URL."
            )
            raise click.ClickException(message) from failure
