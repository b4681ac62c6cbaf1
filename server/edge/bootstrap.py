"""Everything that an Envoy is told when it starts: the one for the world, or that for the mesh."""

from __future__ import annotations

import json
from pathlib import Path

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapStaticResources,
)
from envoy_data_plane.envoy.config.core.v3 import Address, Pipe
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from server.edge.cluster import PUBLIC, Door, servers_cluster
from server.edge.contract import read_public_methods
from server.edge.listeners import mesh_listener, public_listener
from server.edge.overload import memory_allocator, overload_manager, runtime_limits
from server.edge.settings import EdgeSettings

# Nobody but the user that Envoy runs as.
ADMIN_MODE = 0o600
# What only tells. Not among them: levels of logs, which would have headers printed, health,
# draining, the end, profiles, counters and settings. The configuration holds no secrets.
ADMIN_PATHS = (
    r"/(?:certs|clusters|config_dump|listeners|memory|ready|server_info|stats|stats/prometheus)"
    r"(?:\?.*)?"
)


def build_bootstrap(edge: EdgeSettings, door: Door, descriptors: bytes) -> Bootstrap:
    """The configuration of a door's Envoy for a contract, a serialized `FileDescriptorSet`.

    Envoy reads the same descriptors again from `edge.descriptor_path`.

    Raises:
        ContractError: a routed method has no rate class.
    """
    methods = read_public_methods(descriptors)
    is_public = door is PUBLIC
    chosen = edge.public if is_public else edge.mesh
    listener = public_listener(edge, methods) if is_public else mesh_listener(edge, methods)
    return Bootstrap(
        admin=_admin(chosen.admin_socket),
        static_resources=BootstrapStaticResources(
            listeners=[listener], clusters=[servers_cluster(edge, door)]
        ),
        layered_runtime=runtime_limits(
            door.name,
            chosen.connections_max,
            has_strangers=is_public and edge.trusted_hops == 0,
        ),
        overload_manager=overload_manager(chosen.connections_max),
        memory_allocator_manager=memory_allocator(),
    )


def bootstrap_json(bootstrap: Bootstrap) -> str:
    """The configuration as text. The same configuration gives the same text."""
    return json.dumps(json.loads(bootstrap.to_json()), indent=2) + "\n"


def write_bootstrap(edge: EdgeSettings, door: Door, target: Path) -> None:
    """Writes it to `target`, for the descriptors at `edge.descriptor_path`."""
    descriptors = Path(edge.descriptor_path).read_bytes()
    target.write_text(bootstrap_json(build_bootstrap(edge, door, descriptors)))


def _admin(path: str) -> Admin | None:
    """A socket in the file system: no page of a browser and no other user reaches it."""
    if not path:
        return None
    return Admin(
        address=Address(pipe=Pipe(path=path, mode=ADMIN_MODE)),
        # However many connections the world has opened, an operator finds out why.
        ignore_global_conn_limit=True,
        # With the query, which chooses among what a page tells.
        allow_paths=[StringMatcher(safe_regex=RegexMatcher(regex=ADMIN_PATHS))],
    )
