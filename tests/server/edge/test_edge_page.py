"""Envoy's page "Configuring Envoy as an edge proxy" and its page about timeouts, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from server.edge.cluster import DOORS
from server.edge.settings import EdgeSettings
from tests.server.edge.running import ROOT
from tests.server.edge.test_edge_bootstrap import built
from tests.support.lints import assert_none

DECISIONS = ROOT / "docs" / "decisions"
USUAL = EdgeSettings()
Look = Callable[[], object]


@cache
def configurations() -> Sequence[dict[str, Any]]:
    """The public Envoy's and the mesh's, as they are by default, with their admin sockets."""
    edge = EdgeSettings(
        public=replace(USUAL.public, admin_socket="envoy/public.sock"),
        mesh=replace(USUAL.mesh, admin_socket="envoy/mesh.sock"),
    )
    return [built(edge, door) for door in DOORS]


def listeners() -> Mapping[str, dict[str, Any]]:
    return {
        listener["name"]: listener
        for each in configurations()
        for listener in each["staticResources"]["listeners"]
    }


def server_clusters() -> Sequence[dict[str, Any]]:
    return [cluster for each in configurations() for cluster in each["staticResources"]["clusters"]]


def manager(listener: str) -> dict[str, Any]:
    [chain] = listeners()[listener]["filterChains"]
    [http] = chain["filters"]
    found: dict[str, Any] = http["typedConfig"]
    return found


def both(*keys: str) -> list[object]:
    """What the connection manager of each listener has at a place."""
    return [_at(manager(name), keys) for name in ("public", "mesh")]


def clusters(*keys: str) -> list[object]:
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return [
        _at(
            each["typedExtensionProtocolOptions"][options]
            if keys[0] == "explicitHttpConfig"
            else each,
            keys,
        )
        for each in server_clusters()
    ]


def _at(found: Any, keys: tuple[str, ...]) -> object:
    for key in keys:
        found = found[key]
    result: object = found
    return result


def envoys(*keys: str) -> list[object]:
    """What each Envoy has at a place."""
    return [_at(each, keys) for each in configurations()]


def runtime(key: str) -> list[object]:
    return [
        each["layeredRuntime"]["layers"][0]["staticLayer"].get(key) for each in configurations()
    ]


def overload(kind: str) -> list[dict[str, Any]]:
    return [
        {found["name"]: found for found in each["overloadManager"][kind]}
        for each in configurations()
    ]


HTTP2 = ("explicitHttpConfig", "http2ProtocolOptions")
ESCAPED = "pathWithEscapedSlashesAction"

PRESENT: dict[str, tuple[Look, object]] = {
    "admin: restricted": (
        lambda: envoys("admin", "address", "pipe"),
        [
            {"path": "envoy/public.sock", "mode": 0o600},
            {"path": "envoy/mesh.sock", "mode": 0o600},
        ],
    ),
    "admin: beside the connection limit": (
        lambda: envoys("admin", "ignoreGlobalConnLimit"),
        [True, True],
    ),
    "overload manager: refresh": (
        lambda: envoys("overloadManager", "refreshInterval"),
        ["0.250s"] * 2,
    ),
    "overload manager: heap": (
        lambda: [
            int(each["envoy.resource_monitors.fixed_heap"]["typedConfig"]["maxHeapSizeBytes"])
            >= 512 << 20
            for each in overload("resourceMonitors")
        ],
        [True, True],
    ),
    "overload manager: shrinks, then resets, then refuses": (
        lambda: [sorted(each) for each in overload("actions")],
        [
            [
                "envoy.overload_actions.reduce_timeouts",
                "envoy.overload_actions.reset_high_memory_stream",
                "envoy.overload_actions.shrink_heap",
                "envoy.overload_actions.stop_accepting_requests",
            ]
        ]
        * 2,
    ),
    "global downstream connections": (
        lambda: [
            each["envoy.resource_monitors.global_downstream_max_connections"]["typedConfig"][
                "maxActiveDownstreamConnections"
            ]
            for each in overload("resourceMonitors")
        ],
        ["1500", "2000"],
    ),
    "listener connections": (
        lambda: [
            runtime(f"envoy.resource_limits.listener.{name}.connection_limit")
            for name in ("public", "mesh")
        ],
        [[1_500, None], [None, 2_000]],
    ),
    "overload manager: turns connections away, then closes them": (
        lambda: [
            {
                name.removeprefix("envoy.load_shed_points."): each["triggers"][0]["scaled"]
                for name, each in points.items()
            }
            for points in overload("loadshedPoints")
        ],
        [
            {
                "tcp_listener_accept": {"scalingThreshold": 0.7, "saturationThreshold": 0.87},
                "http2_server_go_away_and_close_on_dispatch": {
                    "scalingThreshold": 0.87,
                    "saturationThreshold": 0.97,
                },
            }
        ]
        * 2,
    ),
    "calls that are reset at once": (
        lambda: runtime("overload.premature_reset_total_stream_count"),
        [16, None],
    ),
    "requests of one connection before the next": (
        lambda: runtime("http.max_requests_per_io_cycle"),
        [1, 1],
    ),
    "listener buffers": (
        lambda: [each["perConnectionBufferLimitBytes"] for each in listeners().values()],
        [32 << 10] * 2,
    ),
    "cluster buffers": (lambda: clusters("perConnectionBufferLimitBytes"), [32 << 10] * 2),
    "use_remote_address": (lambda: both("useRemoteAddress"), [True, True]),
    "idle connections": (
        lambda: both("commonHttpProtocolOptions", "idleTimeout"),
        ["60s", "300s"],
    ),
    "connection duration": (
        lambda: [
            manager("public")["commonHttpProtocolOptions"]["maxConnectionDuration"],
            manager("public")["http1SafeMaxConnectionDuration"],
        ],
        ["3600s", True],
    ),
    "stream duration": (
        lambda: manager("public")["commonHttpProtocolOptions"]["maxStreamDuration"],
        "3600s",
    ),
    "idle streams": (lambda: both("streamIdleTimeout"), ["60s", "60s"]),
    "request timeout": (lambda: manager("public")["requestTimeout"], "5s"),
    "request headers timeout": (lambda: both("requestHeadersTimeout"), ["10s", "10s"]),
    "connect timeout": (lambda: clusters("connectTimeout"), ["1s", "1s"]),
    "streams of a connection": (
        lambda: both("http2ProtocolOptions", "maxConcurrentStreams"),
        [8, 100],
    ),
    "answers that are not taken": (lambda: manager("public")["streamFlushTimeout"], "5s"),
    "stream window": (
        lambda: [
            *both("http2ProtocolOptions", "initialStreamWindowSize"),
            *clusters(*HTTP2, "initialStreamWindowSize"),
        ],
        [64 << 10] * 4,
    ),
    "connection window": (
        lambda: [
            *both("http2ProtocolOptions", "initialConnectionWindowSize"),
            *clusters(*HTTP2, "initialConnectionWindowSize"),
        ],
        [1 << 20] * 4,
    ),
    "normalize_path": (lambda: both("normalizePath"), [True, True]),
    "merge_slashes": (lambda: both("mergeSlashes"), [True, True]),
    "escaped slashes": (lambda: both(ESCAPED), ["REJECT_REQUEST"] * 2),
}
"""What the page says, where it stands, and what stands there."""

DECIDED: dict[str, tuple[Look, object]] = {
    "headers with underscores: REJECT_REQUEST": (
        lambda: both("commonHttpProtocolOptions", "headersWithUnderscoresAction"),
        ["DROP_HEADER"] * 2,
    ),
    "request timeout, mesh": (lambda: "requestTimeout" in manager("mesh"), False),
    "connection duration, mesh": (
        lambda: "maxConnectionDuration" in manager("mesh")["commonHttpProtocolOptions"],
        False,
    ),
    "stream duration, mesh": (
        lambda: "maxStreamDuration" in manager("mesh")["commonHttpProtocolOptions"],
        False,
    ),
    "HTTP/3": (lambda: {each.get("udpListenerConfig") for each in listeners().values()}, {None}),
    "TLS": (
        lambda: {
            chain.get("transportSocket")
            for each in listeners().values()
            for chain in each["filterChains"]
        },
        {None},
    ),
    "PROXY protocol": (
        lambda: {each.get("listenerFilters") for each in listeners().values()},
        {None},
    ),
}
"""What it says and we do otherwise. The decision record has each of these as a line."""


def test_every_line_of_the_page_is_set() -> None:
    """A stranger would do what Envoy's makers warn of."""
    assert_none(differences(PRESENT))


def test_what_is_not_set_is_decided() -> None:
    """Nobody would know whether a line was left out on purpose."""
    [record] = DECISIONS.glob("0016-*.md")
    text = record.read_text()

    assert_none(differences(DECIDED))
    assert_none(line for line in DECIDED if f"- **{line}**" not in text)


def differences(lines: Mapping[str, tuple[Look, object]]) -> Iterator[str]:
    """The lines where something else stands."""
    for line, (look, expected) in lines.items():
        found = look()
        if found != expected:
            yield f"{line}: {found} instead of {expected}"


def test_public_and_mesh_have_connections_of_their_own() -> None:
    """What a stranger does to a connection would be done to the mesh."""
    used = {
        name: {
            route["route"]["cluster"]
            for host in manager(name)["routeConfig"]["virtualHosts"]
            for route in host["routes"]
        }
        - {"nowhere"}
        for name in ("public", "mesh")
    }
    limits = {each["name"]: each["circuitBreakers"]["thresholds"][0] for each in server_clusters()}

    assert used == {"public": {"servers_for_public"}, "mesh": {"servers_for_mesh"}}
    for name in ("servers_for_public", "servers_for_mesh"):
        assert {"maxRequests", "maxConnections", "maxPendingRequests"} <= set(limits[name])
    assert clusters(*HTTP2, "hpackTableSize") == [0, 0]


def test_freed_memory_is_given_back() -> None:
    """One attack would be paid for in memory until the next start."""
    for each in configurations():
        allocator = each["memoryAllocatorManager"]

        assert int(allocator["softMemoryLimitBytes"]) <= 256 << 20
        assert int(allocator["bytesToRelease"]) > 0


def test_a_proxys_connections_may_take_many_calls_back() -> None:
    """One visitor could have the calls of others closed, who share the connections of a proxy."""
    behind = built(EdgeSettings(trusted_hops=1))
    [layer] = behind["layeredRuntime"]["layers"]

    assert "overload.premature_reset_total_stream_count" not in layer["staticLayer"]


def test_no_call_is_waited_for_less() -> None:
    """Whoever takes connections would end the calls of others, which are at the server."""
    for actions in overload("actions"):
        [*timers] = actions["envoy.overload_actions.reduce_timeouts"]["typedConfig"][
            "timerScaleFactors"
        ]
        assert [each["timer"] for each in timers] == [
            "HTTP_DOWNSTREAM_CONNECTION_IDLE",
            "HTTP_DOWNSTREAM_STREAM_FLUSH",
        ]
