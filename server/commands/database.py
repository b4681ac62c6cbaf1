"""Finds the database that a command reads, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from server.causes import database_fault
from server.commands.mesh import FOLDER
from server.commands.settings import WrongConfigurationError, read_or_end
from server.connecting import connect_refusal
from server.running_stack import read_running
from server.settings.database import NamedDatabaseSettings


def named_database_url() -> str | None:
    """The database that the environment names, if it does."""
    named = read_or_end(NamedDatabaseSettings).database_url
    return None if named is None else named.get_secret_value()


def find_database_url() -> str:
    """The database that the environment names, else that of the mesh that runs on this host."""
    url = named_database_url()
    if url is not None:
        return url
    running = read_running(FOLDER)
    if running is None:
        message = (
            "No mesh runs here. Start one with `guerdon up`, or name a database with "
            "GUERDON_DATABASE_URL."
        )
        raise click.ClickException(message)
    return running.database_url


@contextmanager
def explained_database_faults() -> Iterator[None]:
    """A database that cannot be used ends the command with what may be told of the fault.

    With exit code 78 if the settings are wrong.
    """
    try:
        yield
    except Exception as raised:
        fault = database_fault(raised)
        if fault is None:
            raise
        if connect_refusal(raised) is not None:
            raise WrongConfigurationError(fault) from raised
        raise click.ClickException(fault) from raised
