"""How each part of a stack is run: its command, its environment, its signals."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from localmesh.envoy import envoy_command, envoy_environment
from localmesh.ports import LOOPBACK
from localmesh.postgres import STOP_SIGNAL, Postgres
from localmesh.private_files import keep_or_make
from localmesh.processes import Child

# Where our packages are: a checkout, or where they were installed.
PROJECT = Path(__file__).resolve().parents[1]
GENERATED = PROJECT / "gen"

# In the stack's folder.
SERVICE_TOKEN_FILE = "service.token"  # noqa: S105 - a file's name
SECRETS_KEY_FILE = "secrets.key"

# What a server process is run with, before its subcommand. Nothing is imported from the folder that
# it is started in.
SERVER_PROGRAM = (sys.executable, "-P", "-m", "server")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcesses:
    """Makes the children that run our own program. `environment` is theirs, bar the port.

    `owner` is what the one that migrates has instead: it owns the tables, the others do not.
    """

    program: Sequence[str]
    environment: Mapping[str, str]
    owner: Mapping[str, str]

    def migrate(self) -> Child:
        return self._child("migrate", "migrate", {**self.environment, **self.owner})

    def work(self) -> Child:
        return self._child("work", "work", self.environment)

    def serve(self, name: str, port: int) -> Child:
        return self._child(name, "serve", {**self.environment, "GUERDON_LISTEN_PORT": str(port)})

    def _child(self, name: str, subcommand: str, environment: Mapping[str, str]) -> Child:
        return Child(
            name=name,
            command=(*self.program, subcommand),
            environment=environment,
            folder=PROJECT,
        )


def server_environment(
    ours: Mapping[str, str], *, folder: Path, database_url: str
) -> dict[str, str]:
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
        "GUERDON_DATABASE_URL": database_url,
        "GUERDON_SERVICE_TOKEN": passed.get("GUERDON_SERVICE_TOKEN")
        or keep_or_make(folder / SERVICE_TOKEN_FILE, lambda: secrets.token_urlsafe(32)),
        "GUERDON_SECRETS_KEY": passed.get("GUERDON_SECRETS_KEY")
        or keep_or_make(folder / SECRETS_KEY_FILE, lambda: Fernet.generate_key().decode()),
        "GUERDON_LISTEN_HOST": LOOPBACK,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(roots)),
        # A log line is in its file when it was written, also when the process is killed next.
        "PYTHONUNBUFFERED": "1",
    }


def postgres_child(postgres: Postgres) -> Child:
    """The database, once prepared. It is asked to end as if by `pg_ctl stop -m fast`."""
    return Child(
        name="postgres",
        command=tuple(postgres.command),
        environment=postgres.environment,
        folder=Path("/"),
        stop_signal=STOP_SIGNAL,
        death_signal=STOP_SIGNAL,
    )


def envoy_child(name: str, bootstrap: Path) -> Child:
    """An Envoy with a bootstrap file, in whose folder it is started.

    Raises:
        EnvoyError: there is no Envoy on this host.
    """
    return Child(
        name=name,
        command=envoy_command(bootstrap),
        environment=envoy_environment(),
        folder=bootstrap.parent,
    )


def _listed(path: str) -> Iterator[str]:
    return (each for each in path.split(os.pathsep) if each)
