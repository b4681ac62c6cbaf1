"""`guerdon migrate`: the database's schema."""

from __future__ import annotations

import asyncio

import click

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.roles import UnusableRoleError, grant_rights, require_role
from infrastructure.database.schema import expected_revision
from infrastructure.database.schema import migrate as migrate_schema
from server.commands.database import explained_database_faults
from server.commands.settings import WrongConfigurationError, read_or_end
from server.preflight import UnusableDatabaseError, refuse_newer, require_version
from server.settings.database import MigrationSettings
from server.tables import EVERY_TABLE


@click.command()
def migrate() -> None:
    """Brings the database's schema up to date.

    With GUERDON_DATABASE_ROLE, that role is then given what `serve` and `work` need, and nothing
    else. Run this as the owner of the tables.
    """
    settings = read_or_end(MigrationSettings)
    url, role = settings.database_url.get_secret_value(), settings.database_role or None

    async def run() -> None:
        engine = create_engine(url, pool_size=1, application_name="migrate")
        try:
            async with database_of(engine).single() as tx:
                await require_version(tx)
                await refuse_newer(tx)
                if role is not None:
                    await require_role(tx, role, EVERY_TABLE)
            await migrate_schema(engine)
            if role is not None:
                await grant_rights(engine, role, EVERY_TABLE)
        finally:
            await engine.dispose()

    try:
        with explained_database_faults():
            asyncio.run(run())
    except UnusableDatabaseError as problem:
        raise WrongConfigurationError(str(problem)) from problem
    except UnusableRoleError as problem:
        message = f"GUERDON_DATABASE_ROLE: {problem}"
        raise WrongConfigurationError(message) from problem
    click.echo(f"The schema is at revision {expected_revision()}.")
    if role is not None:
        click.echo(f"The role {role} has what serve and work need.")
