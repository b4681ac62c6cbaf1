"""The parts of a mesh on one host, started in order and stopped in reverse."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from localmesh.database_probe import problem_of_database
from localmesh.errors import StackError
from localmesh.file_limit import raise_file_limit
from localmesh.given_settings import read_given
from localmesh.parts.envoy import Envoy, MeshEnvoy, PublicEnvoy
from localmesh.parts.part import PartContext
from localmesh.parts.postgres import PostgresPart
from localmesh.parts.servers import SERVER_PROGRAM, Migrate, Serve, Work, server_environment
from localmesh.ports import moved_listeners, reserve_ports
from localmesh.processes import ChildProcess, Supervisor
from localmesh.progress import Reporter
from localmesh.running_parts import RunningParts, Steps
from localmesh.state import remove_state, sole_use_of, write_state
from server.edge.settings import EdgeSettings
from server.running_stack import RunningStack

SERVER_COUNT = 2


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
        self._with_envoy = with_envoy
        self._named_ports = (public_port, mesh_port)
        # None: somebody's own is used.
        self._postgres: PostgresPart | None = None
        if not environment.get("GUERDON_DATABASE_URL"):
            self._postgres = PostgresPart(durable=durable)
        self._program = program
        self._servers = [Serve(program, number=number + 1) for number in range(SERVER_COUNT)]
        # By the names of their listeners.
        self._envoys: Mapping[str, Envoy] = {}
        self._parts: RunningParts | None = None
        self._held = ExitStack()
        self._is_started = False
        self._supervisor = Supervisor(
            log_folder=self.folder / "logs", say=reporter.line, on_change=self._record
        )

    def steps(self, edge: EdgeSettings) -> Steps:
        """Which parts there are, and in which order they are started."""
        public_port, mesh_port = self._named_ports
        servers = [each.name for each in self._servers]
        if self._with_envoy:
            self._envoys = {
                "public": PublicEnvoy(edge=edge, servers=servers, port=public_port),
                "mesh": MeshEnvoy(edge=edge, servers=servers, port=mesh_port),
            }
        # Of a database of somebody's own, the one user that is known owns the tables as well.
        owner = dict if self._postgres is None else self._postgres.owner_environment
        return [
            [self._postgres] if self._postgres else [],
            [Migrate(self._program, owner=owner)],
            [*self._servers, Work(self._program)],
            [*self._envoys.values()],
        ]

    @property
    def processes(self) -> Mapping[str, ChildProcess]:
        """The children: `postgres`, `serve-1`, `serve-2`, `work`, `envoy-public`, `envoy-mesh`."""
        return self._supervisor.processes

    @property
    def ports(self) -> Mapping[str, int]:
        """Where parts listen on the loopback address, by their names as in `processes`."""
        return self._context.ports

    @property
    def public_url(self) -> str:
        """The listener for the world. Empty without Envoy, as is `mesh_url`."""
        return self._url("public")

    @property
    def mesh_url(self) -> str:
        """The listener for services, as JSON clients write it."""
        return self._url("mesh")

    @property
    def mesh_address(self) -> str:
        """Where gRPC clients connect. Without Envoy, one of the server processes."""
        part = self._envoys.get("mesh", self._servers[0])
        return self._context.address_of(part.name)

    @property
    def admin_sockets(self) -> Mapping[str, str]:
        """Where each listener's Envoy has its own pages. See `Envoy.admin_socket`."""
        return {name: str(each.admin_socket(self._context)) for name, each in self._envoys.items()}

    @property
    def database_url(self) -> str:
        """What the processes work with, for SQLAlchemy. Holds the password."""
        return self._context.environment["GUERDON_DATABASE_URL"]

    @property
    def owner_url(self) -> str:
        """The same of the owner of the tables; of a database of somebody's own it is the same."""
        if self._postgres is None:
            return self.database_url
        return self._postgres.owner_environment()["GUERDON_DATABASE_URL"]

    @property
    def service_token(self) -> str:
        return self._context.environment["GUERDON_SERVICE_TOKEN"]

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
        steps = self.steps(read_given(self._environment))
        try:
            # For all parts, before any of them is started.
            raise_file_limit()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(sole_use_of(self.folder))
            # Removed now as well: a supervisor that was killed leaves it behind.
            remove_state(self.folder)
            self._held.callback(remove_state, self.folder)
            ports = self._take_ports(steps)
            await self._check_given_database()
            self._parts = RunningParts(
                steps,
                context=PartContext(
                    folder=self.folder,
                    ports=ports,
                    environment=server_environment(self._environment, folder=self.folder),
                ),
                supervisor=self._supervisor,
                reporter=self._reporter,
            )
            await self._parts.start()
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
        await self._running.until_ready(name, other_than=other_than)

    @property
    def _running(self) -> RunningParts:
        assert self._parts is not None, "the stack is not started"
        return self._parts

    @property
    def _context(self) -> PartContext:
        return self._running.context

    def _url(self, listener: str) -> str:
        envoy = self._envoys.get(listener)
        return "" if envoy is None else envoy.url(self._context)

    def _take_ports(self, steps: Steps) -> Mapping[str, int]:
        """Reserves a port for each part that listens, by its name, as long as the stack runs."""
        wishes = {part.name: part.port for step in steps for part in step if part.port is not None}
        chosen = self._held.enter_context(reserve_ports([*wishes.values()]))
        for line in moved_listeners([*wishes.values()], chosen):
            self._reporter.line(line)
        return dict(zip(wishes, chosen, strict=True))

    async def _check_given_database(self) -> None:
        if self._postgres is None:
            problem = await problem_of_database(self._environment["GUERDON_DATABASE_URL"])
            if problem:
                raise StackError(problem)

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
