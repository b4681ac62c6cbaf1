"""`guerdon migrate`: the database's schema."""

from __future__ import annotations

import asyncio
import os

import click

from infrastructure.database.engine import create_engine
from infrastructure.database.schema import expected_revision
from infrastructure.database.schema import migrate as migrate_schema
from server.commands.database import explained_database_faults
from server.settings import SettingsError, read_database_url


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
