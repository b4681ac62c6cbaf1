"""How often methods may be called through one Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infrastructure.rpc.rate_class import RateClass

# Of what all callers together may do, one address may do this part.
ADDRESS_SHARE = 10


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
