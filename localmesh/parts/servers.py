"""What runs our own program: `migrate`, `serve` and `work`."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet

from localmesh.owner_only_files import keep_or_make
from localmesh.parts.part import Part, PartContext
from localmesh.ports import LOOPBACK, PortWish
from localmesh.processes import Child
from localmesh.progress import PartState

# Where our packages are: a checkout, or where they were installed.
PROJECT = Path(__file__).resolve().parents[2]
GENERATED = PROJECT / "gen"

# In the stack's folder.
SERVICE_TOKEN_FILE = "service.token"  # noqa: S105 - a file's name
SECRETS_KEY_FILE = "secrets.key"

# What a server process is run with, before its subcommand. Nothing is imported from the folder that
# it is started in.
SERVER_PROGRAM = (sys.executable, "-P", "-m", "server")

# The first server process; the others follow.
_USUAL_PORT = 50051


class Migrate(Part):
    """Brings the schema up to date, and ends. `owner` is what the owner of the tables has."""

    name = "migrate"
    runs_to_its_end = True

    def __init__(self, program: Sequence[str], *, owner: Callable[[], Mapping[str, str]]) -> None:
        self._program = program
        self._owner = owner

    def child(self, context: PartContext) -> Child:
        return _child(self, self._program, "migrate", {**context.environment, **self._owner()})

    def note(self, context: PartContext, state: PartState) -> str:
        return "the schema is up to date" if state is PartState.READY else ""


class Serve(Part):
    """A server process, one of several. `number` counts them from 1."""

    def __init__(self, program: Sequence[str], *, number: int) -> None:
        self.name = f"serve-{number}"
        self.port = PortWish(port=_USUAL_PORT + number - 1)
        self._program = program

    def child(self, context: PartContext) -> Child:
        port = {"GUERDON_LISTEN_PORT": str(context.ports[self.name])}
        return _child(self, self._program, "serve", {**context.environment, **port})


class Work(Part):
    """A worker. It listens nowhere."""

    name = "work"

    def __init__(self, program: Sequence[str]) -> None:
        self._program = program

    def child(self, context: PartContext) -> Child:
        return _child(self, self._program, "work", context.environment)


def _child(
    part: Part, program: Sequence[str], subcommand: str, environment: Mapping[str, str]
) -> Child:
    return Child(
        name=part.name,
        command=(*program, subcommand),
        environment=environment,
        folder=PROJECT,
    )


def server_environment(ours: Mapping[str, str], *, folder: Path) -> dict[str, str]:
    """Our environment with what the stack decides; a person's own settings pass through.

    The service token and the key of secrets are those of the environment, or else made once
    and kept in the folder.
    """
    # Variables of PostgreSQL's clients (PGSSLMODE, PGPASSFILE …) would change how the
    # database of the stack is reached.
    passed = {name: value for name, value in ours.items() if not name.startswith("PG")}
    # The same code as ours, wherever the command was typed. What is installed is found anyway.
    checkout = [str(PROJECT), str(GENERATED)] if (GENERATED / "guerdon").is_dir() else []
    roots = [*checkout, *_listed(passed.get("PYTHONPATH", ""))]
    return passed | {
        "GUERDON_SERVICE_TOKEN": passed.get("GUERDON_SERVICE_TOKEN")
        or keep_or_make(folder / SERVICE_TOKEN_FILE, lambda: secrets.token_urlsafe(32)),
        "GUERDON_SECRETS_KEY": passed.get("GUERDON_SECRETS_KEY")
        or keep_or_make(folder / SECRETS_KEY_FILE, lambda: Fernet.generate_key().decode()),
        "GUERDON_LISTEN_HOST": LOOPBACK,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(roots)),
        # A log line is in its file when it was written, also when the process is killed next.
        "PYTHONUNBUFFERED": "1",
    }


def _listed(path: str) -> Iterator[str]:
    return (each for each in path.split(os.pathsep) if each)
