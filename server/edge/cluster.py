"""The server processes, as an Envoy sees them: that for the world, and that for the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    CircuitBreakersThresholdsRetryBudget,
    Cluster,
    ClusterCommonLbConfig,
    ClusterDiscoveryType,
    ClusterLbPolicy,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    HealthCheck,
    HealthCheckGrpcHealthCheck,
    Http2ProtocolOptions,
    KeepaliveSettings,
    SocketAddress,
)
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.v3 import Percent
from envoy_data_plane.google import protobuf

from server.edge.settings import EdgeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A way to the servers, which has an Envoy of its own.

    Nothing that the world sends stands between two calls of the mesh. `name` is that of its
    listener; `calls_max` is how many calls may be under way on it.
    """

    name: str
    cluster: str
    calls_max: int


PUBLIC = Door(name="public", cluster="servers_for_public", calls_max=768)
MESH = Door(name="mesh", cluster="servers_for_mesh", calls_max=1024)
DOORS = (PUBLIC, MESH)
# Each server process has one connection as long as it takes 100 calls on it at once; the rest is
# room for those that are being renewed.
CONNECTIONS_MAX = 64
# Calls that wait for a connection: at the start, and when a process goes away.
WAITING_CALLS_MAX = 256
# As Envoy's page for edges has them.
BUFFER_BYTES = 32 << 10
STREAM_WINDOW_BYTES = 64 << 10
CONNECTION_WINDOW_BYTES = 1 << 20
CONNECT_TIMEOUT = timedelta(seconds=1)
HEALTH_TIMEOUT = timedelta(seconds=1)
# A gRPC server that is not told otherwise counts pings without data more often than every five
# minutes as abuse and cuts the connection. Ours allows one every five seconds.
KEEPALIVE_INTERVAL = timedelta(seconds=30)
KEEPALIVE_TIMEOUT = timedelta(seconds=10)
# Of the calls under way at most half are repeats, and 50 repeats always have room. Envoy's own
# limit of three repeats fails hundreds of calls when a process goes away.
RETRY_BUDGET_PERCENT = 50
RETRY_CONCURRENCY_MIN = 50


def servers_cluster(edge: EdgeSettings, door: Door) -> Cluster:
    """All `serve` processes; calls go to the healthy one with the fewest under way."""
    return Cluster(
        name=door.cluster,
        per_connection_buffer_limit_bytes=BUFFER_BYTES,
        type=_discovery(edge.endpoints),
        connect_timeout=CONNECT_TIMEOUT,
        lb_policy=ClusterLbPolicy.LEAST_REQUEST,
        load_assignment=ClusterLoadAssignment(
            cluster_name=door.cluster,
            endpoints=[
                LocalityLbEndpoints(
                    lb_endpoints=[
                        LbEndpoint(endpoint=Endpoint(address=socket_address(host, port)))
                        for host, port in edge.endpoints
                    ]
                )
            ],
        ),
        health_checks=[_health_check(timedelta(seconds=edge.health_interval_seconds))],
        # A process that is not healthy gets no calls, not even when none is: a clear 503 at once
        # is better than a call to a process that is going away.
        common_lb_config=ClusterCommonLbConfig(healthy_panic_threshold=Percent(value=0)),
        circuit_breakers=CircuitBreakers(
            thresholds=[
                CircuitBreakersThresholds(
                    max_connections=CONNECTIONS_MAX,
                    max_pending_requests=WAITING_CALLS_MAX,
                    max_requests=door.calls_max,
                    retry_budget=CircuitBreakersThresholdsRetryBudget(
                        budget_percent=Percent(value=RETRY_BUDGET_PERCENT),
                        min_retry_concurrency=RETRY_CONCURRENCY_MIN,
                    ),
                )
            ]
        ),
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protobuf.Any.pack(_http2())
        },
    )


def socket_address(host: str, port: int) -> Address:
    """An address to listen at or to call."""
    return Address(socket_address=SocketAddress(address=host, port_value=port))


def _discovery(endpoints: tuple[tuple[str, int], ...]) -> ClusterDiscoveryType:
    """Names are looked up again and again; addresses need no resolver."""
    for host, _ in endpoints:
        try:
            ip_address(host)
        except ValueError:
            return ClusterDiscoveryType.STRICT_DNS
    return ClusterDiscoveryType.STATIC


def _health_check(interval: timedelta) -> HealthCheck:
    return HealthCheck(
        timeout=HEALTH_TIMEOUT,
        interval=interval,
        # Otherwise a process without traffic is asked once a minute only.
        no_traffic_interval=interval,
        unhealthy_threshold=1,
        healthy_threshold=1,
        grpc_health_check=HealthCheckGrpcHealthCheck(),
    )


def _http2() -> HttpProtocolOptions:
    return HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(
            http2_protocol_options=Http2ProtocolOptions(
                # gRPC keeps what is wrong with a header in the connection's table of headers, and
                # finds it again in other callers' calls (grpc/grpc issue 34721). The filters let
                # no such header pass; this is for the one that they do not know.
                hpack_table_size=0,
                initial_stream_window_size=STREAM_WINDOW_BYTES,
                initial_connection_window_size=CONNECTION_WINDOW_BYTES,
                connection_keepalive=KeepaliveSettings(
                    interval=KEEPALIVE_INTERVAL, timeout=KEEPALIVE_TIMEOUT
                ),
            )
        )
    )
