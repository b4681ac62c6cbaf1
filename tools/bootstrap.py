"""Makes what Envoy reads, from envoy/descriptors.binpb. Run by `make gen`, after gen.py.

envoy/edge.binpb is Envoy's copy of the contract, envoy/public.json and envoy/mesh.json the
configurations of its two Envoys. With options it writes them for Envoys elsewhere; without any,
those that are committed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from server.edge.bootstrap import bootstrap_json, build_bootstrap
from server.edge.cluster import DOORS
from server.edge.contract_copy import contract_copy
from server.edge.settings import EdgeSettings
from server.edge.written_settings import (
    read_endpoint,
    read_origins,
    read_rate_limits,
    read_trusted_hops,
)
from server.header_names import read_header_names

ENVOY = Path(__file__).resolve().parent.parent / "envoy"
DEFAULTS = EdgeSettings()


@click.command()
@click.option(
    "--rate-limits",
    default="",
    help="Of all callers together, like tracking=2000/4000: calls a second / at once.",
)
@click.option(
    "--address-rate-limits",
    default="",
    help="Of one client address, in the same form. Left out: a tenth of the former.",
)
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="HOST:PORT",
    help="Where a `serve` listens; several times for several.",
)
@click.option("--trusted-hops", default="0", help="Proxies in front that name the client.")
@click.option("--dashboard-origins", default="", help="Whose pages may call /business.")
@click.option("--client-id-headers", default="", help="Further names of x-client-id.")
@click.option(
    "--public-connections",
    type=click.IntRange(1),
    default=DEFAULTS.public.connections_max,
    show_default=True,
    help="100 below the files that its Envoy may open.",
)
@click.option(
    "--mesh-connections",
    type=click.IntRange(1),
    default=DEFAULTS.mesh.connections_max,
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=ENVOY,
)
def main(
    *,
    servers: tuple[str, ...],
    rate_limits: str,
    address_rate_limits: str,
    trusted_hops: str,
    dashboard_origins: str,
    client_id_headers: str,
    public_connections: int,
    mesh_connections: int,
    output: Path,
) -> None:
    """Writes the copy and the configuration."""
    try:
        edge = EdgeSettings(
            public=replace(DEFAULTS.public, connections_max=public_connections),
            mesh=replace(DEFAULTS.mesh, connections_max=mesh_connections),
            endpoints=tuple(map(read_endpoint, servers)) or DEFAULTS.endpoints,
            rate_limits={**DEFAULTS.rate_limits, **read_rate_limits(rate_limits)},
            address_rate_limits=read_rate_limits(address_rate_limits),
            trusted_hop_count=read_trusted_hops(trusted_hops),
            dashboard_origins=read_origins(dashboard_origins),
            client_id_headers=read_header_names(client_id_headers),
        )
    except ValueError as problem:
        raise click.ClickException(str(problem)) from problem
    copy = contract_copy((ENVOY / "descriptors.binpb").read_bytes())
    (ENVOY / "edge.binpb").write_bytes(copy)
    for door in DOORS:
        content = bootstrap_json(build_bootstrap(edge, door, copy))
        (output / f"{door.name}.json").write_text(content)


if __name__ == "__main__":
    main()
