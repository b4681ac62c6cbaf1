"""The words of a round: who arrives, who claims, what shops report, and all of it together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from domains.business.model import AttributionModel
from tests.support.flows import NOON
from tests.support.rules import CampaignPlan


def time_of(minute: int) -> datetime:
    """The time so many minutes after the beginning of a round; most lie before it."""
    return NOON + timedelta(minutes=minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A browser shows a token of an order, at a time of its own."""

    order: str
    client: str
    token: str
    minute: int

    def __str__(self) -> str:
        return f"claim of {self.order} by {self.client} with {self.token!r} at {self.minute}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A shop reports an order. `ordered` None: it does not say when that was.

    `copies` is how often the same delivery is sent, at once.
    """

    order: str
    state: str
    token: str
    minute: int
    ordered: int | None
    total: str
    currency: str
    client: str | None
    customer: str | None
    event: str
    copies: int = 1

    def __str__(self) -> str:
        said = {"hint": self.client, "customer": self.customer, "ordered": self.ordered}
        rest = ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
        times = f", {self.copies} times" if self.copies > 1 else ""
        return (
            f"report {self.event}: {self.order} {self.state} with {self.token!r} at"
            f" {self.minute}, {self.total} {self.currency}, {rest}{times}"
        )

    @property
    def body(self) -> bytes:
        """What the shop signs. The same report has the same bytes at every merchant."""
        document = {
            "id": self.order,
            "status": self.state,
            "token": self.token,
            "currency": self.currency,
            "totalPrice": self.total,
            "createdAt": None if self.ordered is None else time_of(self.ordered).isoformat(),
            "updatedAt": time_of(self.minute).isoformat(),
            "customerId": self.customer,
            "clientId": self.client,
        }
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A browser arrives, by the link of another. `minute` None: now."""

    client: str
    referrer: str
    minute: int | None

    def __str__(self) -> str:
        by = f" by {self.referrer}" if self.referrer else ""
        return f"arrival of {self.client}{by} {'now' if self.minute is None else self.minute}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignChange:
    """A merchant publishes, pauses, resumes or archives a campaign."""

    campaign: str
    action: str

    def __str__(self) -> str:
        return f"{self.action} {self.campaign}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateNews:
    """Somebody observed what a currency is worth in euros."""

    currency: str
    rate: str
    minute: int

    def __str__(self) -> str:
        return f"one {self.currency} is {self.rate} euros at {self.minute}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing comes until everything is decided that is due."""

    def __str__(self) -> str:
        return "a rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """The rest of a moment is sent once a worker has begun to decide an order, if it is due."""

    order: str

    def __str__(self) -> str:
        return f"a worker is at {self.order}"


Message: TypeAlias = Claim | Report | Arrival | CampaignChange | RateNews | Rest | AtWork


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantPlan:
    """A merchant with its settings, and all that happens there.

    `arrivals` and `firsts`, the first orders of customers, come one after the other before
    everything else. Messages of one moment are sent at once. `drafts` are campaigns that are
    not published at first; `poisoned` orders cannot be decided, and `kept` ones cannot be taken
    back, until they are mended. A `patient` merchant waits with its rewards until everything has
    come.
    """

    name: str
    look_back: timedelta
    attribution_model: AttributionModel
    is_patient: bool
    campaigns: tuple[CampaignPlan, ...]
    drafts: tuple[CampaignPlan, ...]
    arrivals: tuple[Arrival, ...]
    firsts: tuple[Report, ...]
    moments: tuple[tuple[Message, ...], ...]
    poisoned: frozenset[str]
    kept: frozenset[str]

    @property
    def messages(self) -> Iterator[Message]:
        for moment in self.moments:
            yield from moment

    @property
    def evidence(self) -> list[Claim | Report]:
        """The reports and claims of its orders, without the first orders of customers."""
        return [each for each in self.messages if isinstance(each, Claim | Report)]

    @property
    def orders(self) -> list[str]:
        """Its orders, the first ones of customers included."""
        found = [each.order for each in (*self.firsts, *self.evidence)]
        return list(dict.fromkeys(found))

    @property
    def has_changing_campaigns(self) -> bool:
        return any(isinstance(each, CampaignChange) for each in self.messages)

    @property
    def has_limits(self) -> bool:
        return any(each.limits for each in (*self.campaigns, *self.drafts))

    def without_orders(self, orders: frozenset[str]) -> MerchantPlan:
        """The same without the messages of some orders."""
        moments = (
            tuple(each for each in moment if getattr(each, "order", None) not in orders)
            for moment in self.moments
        )
        return replace(self, moments=tuple(moment for moment in moments if moment))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What breaks during a round: how likely each is after every few messages."""

    kills_of_callers: float
    kills_of_workers_sessions: float
    kills_of_workers: float
    freezes: float
    locks: float
    forgetting: float

    @property
    def harms_workers(self) -> bool:
        return bool(
            self.kills_of_workers_sessions or self.kills_of_workers or self.freezes or self.locks
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """All of a round, as its seed says."""

    seed: int
    merchants: tuple[MerchantPlan, ...]
