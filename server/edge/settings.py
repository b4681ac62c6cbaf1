"""What an operator may choose about Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from infrastructure.rpc.rate_class import RateClass
from server.edge.rate_limit import RateLimit, default_rate_limits
from server.edge.written_settings import (
    check_origins,
    read_changed_rate_limits,
    read_origins,
    read_rate_limits,
    read_trusted_hops,
)
from server.header_names import read_header_names
from server.settings.group import SettingsGroup, written

# Envoy's copy of the contract, which `make gen` writes (`contract_copy`).
CONTRACT_COPY = Path(__file__).resolve().with_name("edge.binpb")


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


class EdgeChoices(SettingsGroup):
    """What Envoy lets through: variables for `guerdon up`, options of `guerdon envoy configure`.

    `rate_limits` are of all callers together, `address_rate_limits` of one client address; a class
    that the latter leaves out has a tenth of the former, and a burst of a second. `trusted_hops` is
    how many proxies in front of Envoy append to `x-forwarded-for`. `dashboard_origins` are the
    exact origins, like `https://dash.example`, whose pages may call `/business`.
    `client_id_headers` are further names of the header `x-client-id`.
    """

    rate_limits: Annotated[Mapping[RateClass, RateLimit], written(read_changed_rate_limits)] = (
        Field(default_factory=default_rate_limits)
    )
    address_rate_limits: Annotated[Mapping[RateClass, RateLimit], written(read_rate_limits)] = (
        Field(default_factory=dict)
    )
    trusted_hops: Annotated[int, written(read_trusted_hops)] = 0
    dashboard_origins: Annotated[tuple[str, ...], written(read_origins)] = ()
    client_id_headers: Annotated[tuple[str, ...], written(read_header_names)] = ()


class EdgeSettings(EdgeChoices):
    """The same, with where the Envoys listen and whom they call, which no variable says.

    `endpoints` are the `serve` processes, one address each. `descriptor_path` is Envoy's copy of
    the contract (`contract_copy`), relative to the folder that Envoy is started in.
    """

    public: ListenerSettings = ListenerSettings(port=8080, connections_max=1_500)
    mesh: ListenerSettings = ListenerSettings(port=8081, connections_max=2_000)
    endpoints: tuple[tuple[str, int], ...] = (("127.0.0.1", 50051), ("127.0.0.1", 50052))
    descriptor_path: str = "server/edge/edge.binpb"
    health_interval_seconds: float = 1

    @model_validator(mode="after")
    def _require_what_envoy_needs(self) -> Self:
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
        return self

    def address_rate_limit(self, rate_class: RateClass) -> RateLimit:
        """Of one client address, for each method of the class."""
        chosen = self.address_rate_limits.get(rate_class)
        return chosen or self.rate_limits[rate_class].of_one_address()
