"""What an operator may choose about Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from infrastructure.rpc.rate_class import RateClass


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How often each method of a rate class may be called through one Envoy.

    `burst` is how many calls may come at once after a pause.
    """

    per_second: int
    burst: int

    def __post_init__(self) -> None:
        if min(self.per_second, self.burst) < 1:
            message = f"a rate limit lets at least one call through: {self}"
            raise ValueError(message)


def default_rate_limits() -> Mapping[RateClass, RateLimit]:
    """For every rate class; a burst is worth two seconds."""
    return {
        RateClass.TRACKING: RateLimit(per_second=2000, burst=4000),
        RateClass.WEBHOOK: RateLimit(per_second=2000, burst=4000),
        RateClass.DASHBOARD: RateLimit(per_second=200, burst=400),
        RateClass.PROBE: RateLimit(per_second=50, burst=100),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Where Envoy listens, whom it calls, and what it lets through.

    `endpoints` are the `serve` processes, one address each. `descriptor_path` is Envoy's copy of
    the contract (`contract_copy`), relative to the folder that Envoy is started in. `admin_port` 0
    means no admin listener. `dashboard_origins` are the exact origins, like
    `https://dash.example`, whose pages may call `/business`. `client_id_headers` are further
    names of the header `x-client-id`. `trusted_hop_count` is how many proxies in front of Envoy
    append to `x-forwarded-for`.
    """

    public_host: str = "127.0.0.1"
    public_port: int = 8080
    mesh_host: str = "127.0.0.1"
    mesh_port: int = 8081
    admin_port: int = 0
    endpoints: tuple[tuple[str, int], ...] = (("127.0.0.1", 50051), ("127.0.0.1", 50052))
    descriptor_path: str = "envoy/edge.binpb"
    dashboard_origins: tuple[str, ...] = ()
    client_id_headers: tuple[str, ...] = ()
    trusted_hop_count: int = 0
    body_bytes_max: int = 1 << 20
    health_interval_seconds: float = 1
    rate_limits: Mapping[RateClass, RateLimit] = field(default_factory=default_rate_limits)

    def __post_init__(self) -> None:
        missing = [
            rate_class.name for rate_class in RateClass if rate_class not in self.rate_limits
        ]
        if missing:
            message = f"rate_limits leaves out {', '.join(missing)}"
            raise ValueError(message)
        if not self.endpoints:
            message = "endpoints names no server process"
            raise ValueError(message)
