"""The two listeners: one for the world, one for the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
)
from envoy_data_plane.envoy.config.core.v3 import (
    HttpProtocolOptionsHeadersWithUnderscoresAction as _Underscores,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpFilter,
)
from envoy_data_plane.google import protobuf

from server.edge.access_log import access_log
from server.edge.cluster import (
    BUFFER_BYTES,
    CONNECTION_WINDOW_BYTES,
    STREAM_WINDOW_BYTES,
    socket_address,
)
from server.edge.contract import PublicMethod
from server.edge.filters import mesh_filters, public_filters
from server.edge.local_replies import Readers, local_reply_config, page_readers
from server.edge.routes import (
    DASHBOARD_AUDIENCE,
    mesh_routes,
    public_routes,
    segments_of_shop_pages,
)
from server.edge.settings import EdgeSettings, ListenerSettings

# Streams send something at least every 15 seconds.
STREAM_IDLE_TIMEOUT = timedelta(seconds=60)
# From the last word of an answer until all of it was taken. Each that is not taken is kept, with
# all that was made for its call; what the public listener answers is small.
PUBLIC_FLUSH_TIMEOUT = timedelta(seconds=5)
# What nobody uses is closed soon: whoever fills the public listener with connections keeps others
# out for this long.
PUBLIC_IDLE_TIMEOUT = timedelta(seconds=60)
MESH_IDLE_TIMEOUT = timedelta(minutes=5)
REQUEST_HEADERS_TIMEOUT = timedelta(seconds=10)
# From the first byte of a request to its last. The largest body comes in time at 70 kB a second.
REQUEST_TIMEOUT = timedelta(seconds=5)
# Nobody outside keeps a connection, or a stream, for ever.
CONNECTION_DURATION_MAX = timedelta(hours=1)
STREAM_DURATION_MAX = timedelta(hours=1)
# Of one connection at once. What a connection has begun waits for its turn with all its headers, so
# this is how much work strangers can put in front of others'. Whoever needs more opens another.
PUBLIC_STREAMS_MAX = 8
MESH_STREAMS_MAX = 100
# Path and headers together. The server takes four times as much: the path reaches it twice, and
# Envoy adds headers of its own.
REQUEST_HEADERS_KILOBYTES_MAX = 16
# `x_service_auth` is not another spelling of `x-service-auth`. The call goes on without it: to
# refuse it would be to reset the stream over HTTP/2, without a word of what is wrong.
UNDERSCORES = _Underscores.DROP_HEADER
# For callers of HTTP/1.0, who need not name a host.
DEFAULT_HOST = "guerdon"


def public_listener(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> Listener:
    """For browsers, SDKs and shops: the methods that have a route, and nothing else."""
    manager = _connection_manager(
        "public",
        streams_max=PUBLIC_STREAMS_MAX,
        routes=public_routes(edge, methods),
        filters=public_filters(edge, methods),
        options=HttpProtocolOptions(
            idle_timeout=PUBLIC_IDLE_TIMEOUT,
            max_connection_duration=CONNECTION_DURATION_MAX,
            max_stream_duration=STREAM_DURATION_MAX,
            headers_with_underscores_action=UNDERSCORES,
        ),
        pages=page_readers(
            segments_of_shop_pages(methods), (DASHBOARD_AUDIENCE, edge.dashboard_origins)
        ),
    )
    manager.xff_num_trusted_hops = edge.trusted_hops
    # Not on the mesh, where a stream of requests may go on for as long as it likes.
    manager.request_timeout = REQUEST_TIMEOUT
    manager.stream_flush_timeout = PUBLIC_FLUSH_TIMEOUT
    manager.http1_safe_max_connection_duration = True
    return _listener("public", edge.public, manager)


def mesh_listener(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> Listener:
    """For internal services and operators: everything that the servers serve."""
    manager = _connection_manager(
        "mesh",
        streams_max=MESH_STREAMS_MAX,
        routes=mesh_routes(methods),
        filters=mesh_filters(edge, methods),
        options=HttpProtocolOptions(
            idle_timeout=MESH_IDLE_TIMEOUT, headers_with_underscores_action=UNDERSCORES
        ),
        pages=(),
    )
    return _listener("mesh", edge.mesh, manager)


def _listener(name: str, settings: ListenerSettings, manager: HttpConnectionManager) -> Listener:
    http = Filter(
        name="envoy.filters.network.http_connection_manager",
        typed_config=protobuf.Any.pack(manager),
    )
    return Listener(
        name=name,
        address=socket_address(settings.host, settings.port),
        per_connection_buffer_limit_bytes=BUFFER_BYTES,
        filter_chains=[FilterChain(filters=[http])],
    )


def _connection_manager(
    name: str,
    *,
    streams_max: int,
    routes: RouteConfiguration,
    filters: list[HttpFilter],
    options: HttpProtocolOptions,
    pages: Sequence[Readers],
) -> HttpConnectionManager:
    slashes = HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST
    return HttpConnectionManager(
        stat_prefix=name,
        access_log=[access_log(name)],
        route_config=routes,
        http_filters=filters,
        local_reply_config=local_reply_config(pages),
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
        request_headers_timeout=REQUEST_HEADERS_TIMEOUT,
        common_http_protocol_options=options,
        http_protocol_options=Http1ProtocolOptions(
            accept_http_10=True, default_host_for_http_10=DEFAULT_HOST
        ),
        http2_protocol_options=Http2ProtocolOptions(
            max_concurrent_streams=streams_max,
            initial_stream_window_size=STREAM_WINDOW_BYTES,
            initial_connection_window_size=CONNECTION_WINDOW_BYTES,
        ),
    )
