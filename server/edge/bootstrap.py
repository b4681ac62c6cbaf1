"""Everything that Envoy is told when it starts."""

from __future__ import annotations

import json
from pathlib import Path

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapStaticResources,
)
from envoy_data_plane.envoy.config.overload.v3 import OverloadManager, ResourceMonitor
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import (
    DownstreamConnectionsConfig,
)
from envoy_data_plane.google import protobuf

from server.edge.cluster import servers_cluster, socket_address
from server.edge.contract import read_public_methods
from server.edge.listeners import mesh_listener, public_listener
from server.edge.settings import EdgeSettings

ADMIN_HOST = "127.0.0.1"
CONNECTIONS_MAX = 20_000


def build_bootstrap(edge: EdgeSettings, descriptors: bytes) -> Bootstrap:
    """Envoy's configuration for this contract, given as a serialized `FileDescriptorSet`.

    Envoy reads the same descriptors again from `edge.descriptor_path`.

    Raises:
        ContractError: a routed method has no rate class.
    """
    methods = read_public_methods(descriptors)
    return Bootstrap(
        admin=_admin(edge.admin_port),
        static_resources=BootstrapStaticResources(
            listeners=[public_listener(edge, methods), mesh_listener(edge, methods)],
            clusters=[servers_cluster(edge)],
        ),
        overload_manager=_connection_limit(),
    )


def bootstrap_json(bootstrap: Bootstrap) -> str:
    """The configuration as text. The same configuration gives the same text."""
    return json.dumps(json.loads(bootstrap.to_json()), indent=2) + "\n"


def write_bootstrap(edge: EdgeSettings, target: Path) -> None:
    """Writes the configuration to `target`, for the descriptors at `edge.descriptor_path`."""
    descriptors = Path(edge.descriptor_path).read_bytes()
    target.write_text(bootstrap_json(build_bootstrap(edge, descriptors)))


def _admin(port: int) -> Admin | None:
    return Admin(address=socket_address(ADMIN_HOST, port)) if port else None


def _connection_limit() -> OverloadManager:
    limit = DownstreamConnectionsConfig(max_active_downstream_connections=CONNECTIONS_MAX)
    return OverloadManager(
        resource_monitors=[
            ResourceMonitor(
                name="envoy.resource_monitors.global_downstream_max_connections",
                typed_config=protobuf.Any.pack(limit),
            )
        ]
    )
