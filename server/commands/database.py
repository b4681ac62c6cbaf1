"""Finds the database that a command reads, and says what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from server.causes import database_fault
from server.commands.mesh import FOLDER
from server.connecting import connect_refusal
from server.running_stack import read_running
from server.settings import SettingsError, checked_database_url


class WrongConfigurationError(click.ClickException):
    """What is wrong stays so until somebody changes it: no supervisor starts it again in vain."""

    exit_code = os.EX_CONFIG


def find_database_url() -> str:
    """The database that the environment names, else that of the mesh that runs on this host."""
    url = os.environ.get("GUERDON_DATABASE_URL")
    if url:
        try:
            return checked_database_url(url)
        except SettingsError as problem:
            raise WrongConfigurationError(str(problem)) from None
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
