"""`guerdon secrets`: what stored secrets are sealed with."""

from __future__ import annotations

import asyncio
import os

import click

from infrastructure.database.engine import create_engine, database_of
from server.commands.database import WrongConfigurationError, explained_database_faults
from server.preflight import UnusableDatabaseError
from server.settings import SettingsError, read_sealing
from server.wiring.sealing import Rotation
from server.wiring.sealing import rotate as seal_all_again

UNREADABLE_SHOWN = 10


@click.group()
def secrets() -> None:
    """What stored secrets are sealed with."""


@secrets.command()
def rotate() -> None:
    """Seals every webhook key with the first key of GUERDON_SECRETS_KEY.

    Give it the keys that every process has: the new one in front, the old one behind it. It may
    be ended and run again. Once it is done the old key can go.
    """
    try:
        url, keys = read_sealing(os.environ)
    except SettingsError as error:
        raise WrongConfigurationError(str(error)) from error

    async def run() -> Rotation:
        engine = create_engine(url, pool_size=1, application_name="secrets rotate")
        try:
            return await seal_all_again(database_of(engine), keys)
        finally:
            await engine.dispose()

    try:
        with explained_database_faults():
            done = asyncio.run(run())
    except UnusableDatabaseError as problem:
        raise WrongConfigurationError(str(problem)) from problem
    click.echo(f"Sealed again: the keys of {done.count} webhooks.")
    if done.unreadable:
        shown = ", ".join(map(str, done.unreadable[:UNREADABLE_SHOWN]))
        message = (
            f"The keys of {len(done.unreadable)} merchants are sealed with a key that "
            f"GUERDON_SECRETS_KEY does not name ({shown}): add it at the end and run this again, "
            "or set their webhooks anew."
        )
        raise click.ClickException(message)
    if done.forgotten is None:
        message = (
            "A process still seals with another key, so no key can go: start every process with "
            "the new key in front, then run this again."
        )
        raise click.ClickException(message)
    click.echo("Nothing is sealed with another key: the keys behind the first one can go.")
