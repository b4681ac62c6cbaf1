"""The two doors: one for the world, one for the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpFilter,
)
from envoy_data_plane.google import protobuf

from server.edge.cluster import socket_address
from server.edge.contract import PublicMethod, services_of
from server.edge.filters import mesh_filters, public_filters
from server.edge.local_replies import local_reply_config
from server.edge.open_queries import with_open_queries
from server.edge.routes import mesh_routes, public_routes
from server.edge.settings import EdgeSettings

# Streams send something at least every 15 seconds.
STREAM_IDLE_TIMEOUT = timedelta(seconds=60)
CONNECTION_IDLE_TIMEOUT = timedelta(minutes=5)
REQUEST_HEADERS_TIMEOUT = timedelta(seconds=10)
# Of one connection at once.
STREAMS_MAX = 100
# Path and headers together. The server takes four times as much: the path reaches it twice, and
# Envoy adds headers of its own.
REQUEST_HEADERS_KILOBYTES_MAX = 16


def public_listener(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> Listener:
    """For browsers, SDKs and shops: the methods that have a route, and nothing else."""
    manager = _connection_manager(
        "public",
        edge,
        routes=public_routes(edge, methods),
        filters=public_filters(edge, services_of(methods)),
    )
    manager.xff_num_trusted_hops = edge.trusted_hop_count
    manager.request_headers_timeout = REQUEST_HEADERS_TIMEOUT
    manager.http2_protocol_options = Http2ProtocolOptions(max_concurrent_streams=STREAMS_MAX)
    return _listener("public", edge.public_host, edge.public_port, manager)


def mesh_listener(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> Listener:
    """For internal services and operators: everything that the servers serve."""
    manager = _connection_manager(
        "mesh",
        edge,
        routes=mesh_routes(methods),
        filters=mesh_filters(edge, services_of(methods)),
    )
    return _listener("mesh", edge.mesh_host, edge.mesh_port, manager)


def _listener(name: str, host: str, port: int, manager: HttpConnectionManager) -> Listener:
    http = Filter(
        name="envoy.filters.network.http_connection_manager",
        typed_config=protobuf.Any.pack(manager),
    )
    return Listener(
        name=name,
        address=socket_address(host, port),
        filter_chains=[FilterChain(filters=[http])],
    )


def _connection_manager(
    name: str, edge: EdgeSettings, *, routes: RouteConfiguration, filters: list[HttpFilter]
) -> HttpConnectionManager:
    slashes = HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST
    underscores = HttpProtocolOptionsHeadersWithUnderscoresAction.DROP_HEADER
    return HttpConnectionManager(
        stat_prefix=name,
        route_config=with_open_queries(routes, filters),
        http_filters=filters,
        local_reply_config=local_reply_config(edge.body_bytes_max),
        # Without `internal_address_config` no address is one of ours, so nobody's `x-envoy-…`
        # headers change timeouts or retries. An empty one would mean every private address.
        use_remote_address=True,
        # One path has one spelling.
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=slashes,
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        max_request_headers_kb=REQUEST_HEADERS_KILOBYTES_MAX,
        stream_idle_timeout=STREAM_IDLE_TIMEOUT,
        common_http_protocol_options=HttpProtocolOptions(
            idle_timeout=CONNECTION_IDLE_TIMEOUT,
            # `x_service_auth` is not another spelling of `x-service-auth`.
            headers_with_underscores_action=underscores,
        ),
    )
