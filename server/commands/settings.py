"""Reads the settings of a command."""

from __future__ import annotations

import os

import click

from server.settings.group import Group, SettingsError, read


class WrongConfigurationError(click.ClickException):
    """What is wrong stays so until somebody changes it: no supervisor starts it again in vain."""

    exit_code = os.EX_CONFIG


def read_or_end(group: type[Group]) -> Group:
    """The group that a command needs; it ends and names all settings that are wrong, if any is."""
    try:
        return read(group, os.environ)
    except SettingsError as problem:
        raise WrongConfigurationError(str(problem)) from problem
