"""What a command imports before it does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from server.__main__ import main
from tests.support.files import ROOT

NAMES = (
    "campaign",
    "delivery",
    "demo",
    "envoy",
    "lane",
    "ledger",
    "merchant",
    "migrate",
    "rate",
    "secrets",
    "serve",
    "status",
    "up",
    "work",
)
CALLERS = ("campaign", "delivery", "lane", "merchant", "rate", "work")
"""Commands that call a running mesh, or can."""


def test_every_command_is_listed() -> None:
    """One that is imported when it is asked for could be forgotten, or misspelt, unnoticed."""
    told = CliRunner().invoke(main, ["--help"])

    assert told.exit_code == 0, told.output
    listed = told.output.split("Commands:\n")[1].splitlines()
    assert tuple(line.split()[0] for line in listed) == NAMES


def test_a_command_that_is_not_there_is_explained() -> None:
    """Whoever mistypes would read of a failed import."""
    told = CliRunner().invoke(main, ["pay"])

    assert told.exit_code == 2
    assert "No such command 'pay'." in told.output


@pytest.mark.parametrize("name", CALLERS)
def test_a_command_that_calls_the_mesh_imports_no_server(name: str) -> None:
    """Each of them took a second to start, for a database that it never asks."""
    program = f"import sys, server.commands.{name}; print(*sys.modules)"

    # A process of its own: here, everything is imported.
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    imported = set(done.stdout.split())
    assert not imported & {"sqlalchemy", "asyncpg", "alembic", "pydantic", "server.wiring"}
