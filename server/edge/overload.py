"""What an Envoy does when it is short of memory or of connections."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    LayeredRuntime,
    MemoryAllocatorManager,
    RuntimeLayer,
)
from envoy_data_plane.envoy.config.overload.v3 import (
    BufferFactoryConfig,
    LoadShedPoint,
    OverloadAction,
    OverloadManager,
    ResourceMonitor,
    ScaledTrigger,
    ScaleTimersOverloadActionConfig,
    ScaleTimersOverloadActionConfigScaleTimer,
    ThresholdTrigger,
    Trigger,
)
from envoy_data_plane.envoy.config.overload.v3 import (
    ScaleTimersOverloadActionConfigTimerType as _Timer,
)
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import (
    DownstreamConnectionsConfig,
)
from envoy_data_plane.envoy.extensions.resource_monitors.fixed_heap.v3 import FixedHeapConfig
from envoy_data_plane.google import protobuf

# All bodies that one address may leave unfinished are kept below the first reset, whatever pieces
# they come in, so that it does not set it off (`limits.BODY_CLASSES`).
HEAP_BYTES_MAX = 768 << 20
# 32 MiB, twice what Envoy needs: from here on what was freed is given back.
SHRINK_AT = 0.05
# What waits for its caller is waited for less, down to a second: answers that are not taken, and
# connections that are not used. Neither is in a buffer, so nothing else gives it up. Also when most
# of the connections are taken, so that whoever holds them does not keep others out.
HURRY_FROM, HURRY_TO = 0.3, 0.7
HURRY_AT_CONNECTIONS_FROM, HURRY_AT_CONNECTIONS_TO = 0.5, 0.95
HURRIED_TIMEOUT = timedelta(seconds=1)
# Calls that wait for their turn, up to 40 KiB each, are in no buffer either: connections are turned
# away, then those that go on sending are closed.
TURN_AWAY_FROM, TURN_AWAY_TO = 0.7, 0.87
CLOSE_FROM, CLOSE_TO = 0.87, 0.97
# The streams that hold most are reset, more of them the nearer the limit is.
RESET_FROM, RESET_TO = 0.85, 0.95
REFUSE_AT = 0.98
# Streams that hold less than 64 KiB are not told apart.
TRACKED_BYTES_POWER_OF_TWO = 16
REFRESH_INTERVAL = timedelta(milliseconds=250)
# The allocator keeps what was freed. Beyond the soft limit it gives back what it can before it
# takes more, below it 8 MiB a quarter second.
SOFT_MEMORY_BYTES = 64 << 20
RELEASED_BYTES = 8 << 20
RELEASE_INTERVAL = timedelta(milliseconds=250)
UNFREED_BYTES_MAX = 8 << 20
# A pattern that leaves out some names has more steps than the hundred that Envoy allows; its cost
# is still that of reading a name once.
PATTERN_STEPS_MAX = 800
# Of one connection, before all others had their turn. Without it a connection's whole burst goes
# first, and the calls of everybody else wait for it.
REQUESTS_PER_TURN = 1
# A call that is reset at once does not wait for its turn, and no limit counts it. A connection is
# closed when half of its calls were reset within a second or two: half of so many, if it had fewer.
HASTY_RESETS_OF = 16

_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"


def overload_manager(connections_max: int) -> OverloadManager:
    """Gives memory back, waits less, turns connections away, and last resets and refuses calls."""
    connections = DownstreamConnectionsConfig(max_active_downstream_connections=connections_max)
    return OverloadManager(
        refresh_interval=REFRESH_INTERVAL,
        resource_monitors=[
            ResourceMonitor(
                name=_HEAP,
                typed_config=protobuf.Any.pack(FixedHeapConfig(max_heap_size_bytes=HEAP_BYTES_MAX)),
            ),
            ResourceMonitor(name=_CONNECTIONS, typed_config=protobuf.Any.pack(connections)),
        ],
        actions=[
            _action("shrink_heap", Trigger(name=_HEAP, threshold=_from(SHRINK_AT))),
            _hurry(),
            _action("reset_high_memory_stream", _between(RESET_FROM, RESET_TO)),
            _action("stop_accepting_requests", Trigger(name=_HEAP, threshold=_from(REFUSE_AT))),
        ],
        loadshed_points=[
            _point("tcp_listener_accept", _between(TURN_AWAY_FROM, TURN_AWAY_TO)),
            _point("http2_server_go_away_and_close_on_dispatch", _between(CLOSE_FROM, CLOSE_TO)),
        ],
        buffer_factory_config=BufferFactoryConfig(
            minimum_account_to_track_power_of_two=TRACKED_BYTES_POWER_OF_TWO
        ),
    )


def memory_allocator() -> MemoryAllocatorManager:
    """Gives freed memory back to the system; otherwise one large attack is paid for ever after."""
    return MemoryAllocatorManager(
        bytes_to_release=RELEASED_BYTES,
        memory_release_interval=RELEASE_INTERVAL,
        soft_memory_limit_bytes=SOFT_MEMORY_BYTES,
        max_unfreed_memory_bytes=UNFREED_BYTES_MAX,
    )


def runtime_limits(listener: str, connections_max: int, *, has_strangers: bool) -> LayeredRuntime:
    """How many connections the listener takes, and how much of one is read before the next.

    The rest of Envoy's files is for its own use.
    """
    limits = {
        f"envoy.resource_limits.listener.{listener}.connection_limit": connections_max,
        "re2.max_program_size.error_level": PATTERN_STEPS_MAX,
        "http.max_requests_per_io_cycle": REQUESTS_PER_TURN,
    }
    if has_strangers:
        # Not of services of ours, whose deadlines may be short, nor of a proxy, whose connections
        # carry the calls of many.
        limits["overload.premature_reset_total_stream_count"] = HASTY_RESETS_OF
    layer = RuntimeLayer(name="limits", static_layer=protobuf.Struct.from_dict(limits))
    return LayeredRuntime(layers=[layer])


def _action(name: str, *triggers: Trigger) -> OverloadAction:
    return OverloadAction(name=f"envoy.overload_actions.{name}", triggers=list(triggers))


def _point(name: str, trigger: Trigger) -> LoadShedPoint:
    return LoadShedPoint(name=f"envoy.load_shed_points.{name}", triggers=[trigger])


def _hurry() -> OverloadAction:
    action = _action(
        "reduce_timeouts",
        _between(HURRY_FROM, HURRY_TO),
        _between(HURRY_AT_CONNECTIONS_FROM, HURRY_AT_CONNECTIONS_TO, of=_CONNECTIONS),
    )
    timers = ScaleTimersOverloadActionConfig(
        timer_scale_factors=[
            ScaleTimersOverloadActionConfigScaleTimer(timer=timer, min_timeout=HURRIED_TIMEOUT)
            for timer in (
                # Not that of idle calls: a call waits for its turn, or for the server.
                _Timer.HTTP_DOWNSTREAM_CONNECTION_IDLE,
                _Timer.HTTP_DOWNSTREAM_STREAM_FLUSH,
            )
        ]
    )
    action.typed_config = protobuf.Any.pack(timers)
    return action


def _between(begin: float, end: float, *, of: str = _HEAP) -> Trigger:
    scaled = ScaledTrigger(scaling_threshold=begin, saturation_threshold=end)
    return Trigger(name=of, scaled=scaled)


def _from(share: float) -> ThresholdTrigger:
    return ThresholdTrigger(value=share)
