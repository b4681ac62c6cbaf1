"""`guerdon envoy`: what an Envoy of your own is started with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from server.edge.settings import CONTRACT_COPY, EdgeSettings
from server.edge.written_settings import (
    read_endpoint,
    read_listener,
    read_origins,
    read_rate_limits,
    read_socket_path,
    read_trusted_hops,
)
from server.embedded.envoy import envoy_options
from server.embedded.file_limit import OWN_FILES
from server.header_names import read_header_names

CONTRACT_FILE = "edge.binpb"
BOOTSTRAP_FILE = "bootstrap.json"
_DEFAULTS = EdgeSettings()
_CONNECTIONS = click.IntRange(1, 1_000_000)


def _read_path(text: str) -> str:
    if not text:
        message = "names no file"
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
_LIMITS = _Setting(read_rate_limits)


@click.group()
def envoy() -> None:
    """What an Envoy of your own is started with."""


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
    default=f"{_DEFAULTS.public_host}:{_DEFAULTS.public_port}",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where the public listener is, for browsers and shops; 0.0.0.0 for every address.",
)
@click.option(
    "--mesh",
    type=_LISTENER,
    default=f"{_DEFAULTS.mesh_host}:{_DEFAULTS.mesh_port}",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where the mesh listener is, for services of your own.",
)
@click.option(
    "--admin-socket",
    type=_Setting(read_socket_path),
    default="",
    metavar="PATH",
    help="A socket for Envoy's own figures. Left out: none.",
)
@click.option(
    "--descriptors",
    type=_Setting(_read_path),
    metavar="PATH",
    help=f"Where Envoy finds {CONTRACT_FILE} on its host. Left out: in FOLDER.",
)
@click.option(
    "--rate-limits",
    type=_LIMITS,
    default="",
    help="Of all callers together, like tracking=2000/4000: calls a second / at once.",
)
@click.option(
    "--address-rate-limits",
    type=_LIMITS,
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
    *("--public-connections", "public_connections_max"),
    type=_CONNECTIONS,
    default=_DEFAULTS.public_connections_max,
    show_default=True,
    help=f"With those of the mesh, {OWN_FILES} below the files that Envoy may open.",
)
@click.option(
    *("--mesh-connections", "mesh_connections_max"),
    type=_CONNECTIONS,
    default=_DEFAULTS.mesh_connections_max,
    show_default=True,
)
def configure(
    *,
    folder: Path,
    servers: tuple[tuple[str, int], ...],
    public: tuple[str, int],
    mesh: tuple[str, int],
    descriptors: str | None,
    **chosen: Any,
) -> None:
    """Writes Envoy's configuration and its copy of the contract into FOLDER.

    Both are what this version of `serve` needs: write them anew at each upgrade. They hold no
    secret. Says how Envoy is started with them.
    """
    chosen["rate_limits"] = {**_DEFAULTS.rate_limits, **chosen["rate_limits"]}
    chosen["trusted_hop_count"] = chosen.pop("trusted_hops")
    if public == mesh:
        message = f"--mesh: {mesh[0]}:{mesh[1]} is where the public listener is."
        raise click.ClickException(message)
    for host, port in servers:
        if servers.count((host, port)) > 1:
            raise click.ClickException(f"--server: {host}:{port} is named twice.")
    folder = folder.resolve()
    edge = EdgeSettings(
        public_host=public[0],
        public_port=public[1],
        mesh_host=mesh[0],
        mesh_port=mesh[1],
        endpoints=servers,
        descriptor_path=descriptors or str(folder / CONTRACT_FILE),
        **chosen,
    )
    contract = CONTRACT_COPY.read_bytes()
    bootstrap = _bootstrap(edge, contract)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / CONTRACT_FILE, contract)
        _replace(folder / BOOTSTRAP_FILE, bootstrap.encode())
    except OSError as problem:
        message = f"{folder} cannot be written to: {problem.strerror}."
        raise click.ClickException(message) from problem
    click.echo(_next_steps(edge, folder))


def _bootstrap(edge: EdgeSettings, contract: bytes) -> str:
    # Envoy's types are an extra, and take a second to load.
    try:
        from server.edge.bootstrap import bootstrap_json, build_bootstrap  # noqa: PLC0415
    except ModuleNotFoundError as problem:
        missing = f"{problem}. Install what `envoy` needs: pip install 'guerdon[envoy]'"
        raise click.ClickException(missing) from problem
    return bootstrap_json(build_bootstrap(edge, contract))


def _replace(path: Path, content: bytes) -> None:
    """An Envoy that is started meanwhile reads the old file or the new one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _next_steps(edge: EdgeSettings, folder: Path) -> str:
    files = edge.public_connections_max + edge.mesh_connections_max + OWN_FILES
    bootstrap = folder / BOOTSTRAP_FILE
    return "\n".join(
        [
            f"Written: {bootstrap}",
            f"         {folder / CONTRACT_FILE}, which Envoy reads at {edge.descriptor_path}",
            "",
            f"Let Envoy 1.40 or newer open {files:,} files, and start it with",
            "",
            shlex.join(("envoy", *envoy_options(bootstrap))),
        ]
    )
