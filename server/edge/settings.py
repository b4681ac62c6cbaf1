"""What an operator may choose about Envoy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.rpc.rate_class import RateClass

# Of what all callers together may do, one address may do this part.
ADDRESS_SHARE = 10
# Envoy's copy of the contract, which `make gen` writes (`contract_copy`).
CONTRACT_COPY = Path(__file__).resolve().with_name("edge.binpb")
_ORIGIN = re.compile(r"https?://[^/\s*]+")


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

    def times(self, number: int) -> RateLimit:
        return RateLimit(per_second=self.per_second * number, burst=self.burst * number)

    def of_one_address(self) -> RateLimit:
        """The part that one address may use of what is for all, and at least one call.

        Its burst is worth a second at most: others wait for as long as it takes to serve it.
        """
        per_second = max(1, self.per_second // ADDRESS_SHARE)
        return RateLimit(
            per_second=per_second, burst=min(per_second, max(1, self.burst // ADDRESS_SHARE))
        )


def default_rate_limits() -> Mapping[RateClass, RateLimit]:
    """For every rate class; a burst is worth two seconds."""
    return {
        RateClass.TRACKING: RateLimit(per_second=2000, burst=4000),
        RateClass.WEBHOOK: RateLimit(per_second=2000, burst=4000),
        RateClass.DASHBOARD: RateLimit(per_second=200, burst=400),
        RateClass.PROBE: RateLimit(per_second=50, burst=100),
    }


def check_origins(origins: Sequence[str]) -> None:
    """Refuses what no browser sends as its origin, and so would never match.

    Raises:
        ValueError: one of them has a path, a slash at its end, or a wildcard.
    """
    for origin in origins:
        if _ORIGIN.fullmatch(origin) is None:
            message = (
                f"{origin} must be an exact origin like https://dash.example, without a path "
                "and without a wildcard"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where an Envoy listens, and how much it takes.

    `admin_socket` is where its own pages are, relative to the folder that it is started in; empty
    means nowhere. `connections_max` stays below the number of files that it may open.
    """

    host: str = "127.0.0.1"
    port: int
    admin_socket: str = ""
    connections_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Where the Envoys listen, whom they call, and what they let through.

    `endpoints` are the `serve` processes, one address each. `descriptor_path` is Envoy's copy of
    the contract (`contract_copy`), relative to the folder that Envoy is started in.
    `dashboard_origins` are the exact origins, like `https://dash.example`, whose pages may call
    `/business`. `client_id_headers` are further names of the header `x-client-id`.
    `trusted_hop_count` is how many proxies in front of Envoy append to `x-forwarded-for`.
    `rate_limits` are of all callers together, `address_rate_limits` of one client address; a class
    that the latter leaves out has a tenth of the former, and a burst of a second.
    """

    public: ListenerSettings = ListenerSettings(port=8080, connections_max=1_500)
    mesh: ListenerSettings = ListenerSettings(port=8081, connections_max=2_000)
    endpoints: tuple[tuple[str, int], ...] = (("127.0.0.1", 50051), ("127.0.0.1", 50052))
    descriptor_path: str = "server/edge/edge.binpb"
    dashboard_origins: tuple[str, ...] = ()
    client_id_headers: tuple[str, ...] = ()
    trusted_hop_count: int = 0
    health_interval_seconds: float = 1
    rate_limits: Mapping[RateClass, RateLimit] = field(default_factory=default_rate_limits)
    address_rate_limits: Mapping[RateClass, RateLimit] = field(default_factory=dict)

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
        check_origins(self.dashboard_origins)

    def address_rate_limit(self, rate_class: RateClass) -> RateLimit:
        """Of one client address, for each method of the class."""
        chosen = self.address_rate_limits.get(rate_class)
        return chosen or self.rate_limits[rate_class].of_one_address()
