"""The parts of a mesh on one host, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from localmesh.database_probe import complaint_of_database
from localmesh.envoy import write_envoy_bootstraps
from localmesh.errors import StackError
from localmesh.file_limit import raise_file_limit
from localmesh.given_settings import read_given
from localmesh.parts import (
    SERVER_PROGRAM,
    ServerProcesses,
    envoy_child,
    postgres_child,
    server_environment,
)
from localmesh.ports import (
    LOOPBACK,
    StackPorts,
    reserve_stack_ports,
    unusual_listeners,
)
from localmesh.postgres import DATABASE, ROLE, Postgres
from localmesh.private_files import make_private_folder
from localmesh.probes import (
    complaint_of_envoy,
    complaint_of_nothing,
    complaint_of_port,
    complaint_of_url,
)
from localmesh.processes import Child, ChildProcess, Supervisor
from localmesh.progress import PartState, Reporter
from localmesh.readiness import Readiness
from localmesh.state import remove_state, sole_use_of, write_state
from server.edge.settings import CONTRACT_COPY, EdgeSettings
from server.running_stack import RunningStack

SERVER_NAMES = ("serve-1", "serve-2")

# The listeners, and in the stack's folder what their Envoys read and are asked by.
LISTENERS = ("public", "mesh")
ENVOY_FOLDER = "envoy"


class Stack:
    """PostgreSQL, two `serve`, one `work` and two Envoys, as one thing to start and stop.

    `environment` is what the server processes see, and what may replace a part:
    `GUERDON_DATABASE_URL` a database (then none is started), `GUERDON_SERVICE_TOKEN` and
    `GUERDON_SECRETS_KEY` the secrets that else are made once and kept in the folder.

    A port that is named is used or refused; one that is not named is the usual one, or a
    free one when that is taken. `program` is what server processes are run with.

    Start it in a thread that lives as long as the stack: when the thread ends, the kernel
    ends the children.
    """

    def __init__(
        self,
        *,
        folder: Path,
        environment: Mapping[str, str],
        reporter: Reporter,
        durable: bool = True,
        with_envoy: bool = True,
        public_port: int | None = None,
        mesh_port: int | None = None,
        program: Sequence[str] = SERVER_PROGRAM,
    ) -> None:
        self.folder = folder.resolve()
        self._environment = environment
        self._reporter = reporter
        self._durable = durable
        self._with_envoy = with_envoy
        self._named_ports = (public_port, mesh_port)
        self._program = program
        self._edge = EdgeSettings()
        self._ports: StackPorts | None = None
        self._server_environment: Mapping[str, str] = {}
        self._owner: Mapping[str, str] = {}
        self._held = ExitStack()
        self._is_started = False
        self._supervisor = Supervisor(
            log_folder=self.folder / "logs", say=reporter.line, on_change=self._record
        )
        self._readiness = Readiness(supervisor=self._supervisor, reporter=reporter)

    @property
    def processes(self) -> Mapping[str, ChildProcess]:
        """The children: `postgres`, `serve-1`, `serve-2`, `work`, `envoy-public`, `envoy-mesh`."""
        return self._supervisor.processes

    @property
    def ports(self) -> StackPorts:
        assert self._ports is not None, "the stack is not started"
        return self._ports

    @property
    def public_url(self) -> str:
        """The listener for the world. Empty without Envoy, as is `mesh_url`."""
        return f"http://{LOOPBACK}:{self.ports.public}" if self._with_envoy else ""

    @property
    def mesh_url(self) -> str:
        """The listener for services, as JSON clients write it."""
        return f"http://{LOOPBACK}:{self.ports.mesh}" if self._with_envoy else ""

    @property
    def mesh_address(self) -> str:
        """Where gRPC clients connect. Without Envoy, one of the server processes."""
        return f"{LOOPBACK}:{self.ports.mesh if self._with_envoy else self.ports.servers[0]}"

    @property
    def admin_sockets(self) -> Mapping[str, str]:
        """Where each listener's Envoy has its own pages: statistics, its view of the servers.

        A path may be longer than the kernel takes: see `connect_to_socket`.
        """
        folder = self.folder / ENVOY_FOLDER
        return {each: str(folder / f"{each}.sock") for each in LISTENERS if self._with_envoy}

    @property
    def database_url(self) -> str:
        """What the processes work with, for SQLAlchemy. Holds the password."""
        return self._server_environment["GUERDON_DATABASE_URL"]

    @property
    def owner_url(self) -> str:
        """The same of the owner of the tables; of a database of somebody's own it is the same."""
        return self._owner.get("GUERDON_DATABASE_URL", self.database_url)

    @property
    def service_token(self) -> str:
        return self._server_environment["GUERDON_SERVICE_TOKEN"]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts every part and returns once the whole answers. All of it, or nothing.

        Raises:
            StackError: it cannot run; what was started is stopped again.
        """
        self._edge = read_given(self._environment)
        try:
            # For all parts, before any of them is started.
            raise_file_limit()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(sole_use_of(self.folder))
            # Removed now as well: a supervisor that was killed leaves it behind.
            remove_state(self.folder)
            self._held.callback(remove_state, self.folder)
            public, mesh = self._named_ports
            self._ports = self._held.enter_context(
                reserve_stack_ports(public=public, mesh=mesh, server_count=len(SERVER_NAMES))
            )
            if self._with_envoy:
                for line in unusual_listeners(self._ports, named=self._named_ports):
                    self._reporter.line(line)
            await self._start_parts()
        except OSError as problem:
            await self.stop()
            # Not ours to mend: a folder that cannot be written, a full disk.
            raise StackError(f"The stack cannot run on {self.folder}: {problem}") from problem
        except BaseException:
            await self.stop()
            raise
        self._is_started = True
        self._record()

    async def stop(self) -> None:
        """Stops what was started, in reverse order and within bounded time. Keeps the data."""
        self._is_started = False
        await self._supervisor.stop_all()
        self._held.close()

    async def restart(self, name: str) -> None:
        """Asks one part to end, starts it again, and returns once it is ready.

        Raises:
            StackError: it is not ready within the time limit.
        """
        await self._supervisor.restart(name)
        await self.until_ready(name)

    async def until_ready(self, name: str, *, other_than: int | None = None) -> None:
        """Returns once a part answers, whether it was started again meanwhile or not.

        After killing a part, give its old pid as `other_than`: it is not taken for the new.

        Raises:
            StackError: it is not ready within the time limit.
        """
        await self._readiness.wait(name, other_than=other_than)

    async def _start_parts(self) -> None:
        # Envoy's configuration takes a second of loading: meanwhile the rest starts.
        configuring = asyncio.create_task(asyncio.to_thread(self._write_bootstraps))
        # If the rest fails first, nobody awaits it; its own failure is looked at all the same.
        configuring.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._server_environment = server_environment(
            self._environment, folder=self.folder, database_url=await self._start_database()
        )
        await self._start_servers()
        notes = {"envoy-public": self.public_url, "envoy-mesh": self.mesh_url}
        if self._with_envoy:
            for name, note in notes.items():
                self._reporter.part(name, PartState.STARTING, note)
        await configuring
        if self._with_envoy:
            await self._start_envoys(notes)

    async def _start_envoys(self, notes: Mapping[str, str]) -> None:
        # Asking the listener for the world would use up what it lets one address ask.
        public = partial(complaint_of_envoy, Path(self.admin_sockets["public"]))
        mesh = partial(complaint_of_url, f"{self.mesh_url}/health/ready")
        self._readiness.ask("envoy-public", partial(asyncio.to_thread, public))
        self._readiness.ask("envoy-mesh", partial(asyncio.to_thread, mesh))
        folder = self.folder / ENVOY_FOLDER
        await self._start_step(
            notes, [envoy_child(f"envoy-{each}", folder / f"{each}.json") for each in LISTENERS]
        )
        # From now on a server is ready once calls reach it.
        for name, port in zip(SERVER_NAMES, self.ports.servers, strict=True):
            self._readiness.ask(name, partial(_complaint_of_server, port, self.admin_sockets))

    async def _start_database(self) -> str:
        given = self._environment.get("GUERDON_DATABASE_URL")
        if given:
            complaint = await complaint_of_database(given)
            if complaint:
                raise StackError(complaint)
            return given
        note = f"{LOOPBACK}:{self.ports.database}"
        self._reporter.part("postgres", PartState.STARTING, note)
        postgres = Postgres(
            folder=self.folder / "postgres", port=self.ports.database, durable=self._durable
        )
        await asyncio.to_thread(postgres.prepare)
        self._readiness.ask("postgres", postgres.complaint)
        await self._supervisor.start(postgres_child(postgres))
        process = self.processes["postgres"]
        try:
            await postgres.wait_until_ready(has_ended=lambda: process.failure_count > 0)
        except StackError as problem:
            raise self._readiness.failure("postgres", f"did not start: {problem}") from problem
        self._reporter.part("postgres", PartState.READY, note)
        self._owner = {"GUERDON_DATABASE_URL": postgres.url, "GUERDON_DATABASE_ROLE": ROLE}
        return postgres.role_url_of(DATABASE)

    async def _start_servers(self) -> None:
        servers = ServerProcesses(
            program=self._program, environment=self._server_environment, owner=self._owner
        )
        self._reporter.part("migrate", PartState.STARTING, "")
        code = await self._supervisor.run(servers.migrate())
        if code != 0:
            raise self._readiness.failure("migrate", f"ended with exit code {code}")
        self._reporter.part("migrate", PartState.READY, "the schema is up to date")

        ports = dict(zip(SERVER_NAMES, self.ports.servers, strict=True))
        for name, port in ports.items():
            self._readiness.ask(name, partial(complaint_of_port, port))
        self._readiness.ask("work", complaint_of_nothing)
        await self._start_step(
            {name: f"{LOOPBACK}:{port}" for name, port in ports.items()} | {"work": ""},
            [*(servers.serve(name, port) for name, port in ports.items()), servers.work()],
        )

    def _write_bootstraps(self) -> None:
        if not self._with_envoy:
            return
        # The folder is its owner's alone before there is a socket in it.
        folder = self.folder / ENVOY_FOLDER
        make_private_folder(folder)
        write_envoy_bootstraps(
            folder,
            edge=self._edge,
            descriptors=CONTRACT_COPY,
            ports=self.ports,
        )

    async def _start_step(self, notes: Mapping[str, str], children: Sequence[Child]) -> None:
        """Starts children side by side and waits for all. `notes` are shown, by name."""
        for name, note in notes.items():
            self._reporter.part(name, PartState.STARTING, note)
        await self._supervisor.start(*children)
        for name, note in notes.items():
            await self._readiness.wait(name, is_starting=True)
            self._reporter.part(name, PartState.READY, note)

    def _record(self) -> None:
        """Writes `stack.json` anew. Before the whole is ready there is nothing to find."""
        if self._is_started:
            write_state(
                self.folder,
                RunningStack(
                    pid=os.getpid(),
                    public_url=self.public_url,
                    mesh_url=self.mesh_url,
                    mesh_address=self.mesh_address,
                    admin_sockets=self.admin_sockets,
                    database_url=self.database_url,
                    service_token=self.service_token,
                    pids={name: process.pid for name, process in self.processes.items()},
                ),
            )


async def _complaint_of_server(port: int, admin_sockets: Mapping[str, str]) -> str:
    complaint = await complaint_of_port(port)
    for path in admin_sockets.values():
        complaint = complaint or await asyncio.to_thread(complaint_of_envoy, Path(path), port)
    return complaint
