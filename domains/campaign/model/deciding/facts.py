"""What a decision may see of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from domains.campaign.model.rate import ExchangeRate, Pair
from domains.campaign.model.rule import Trigger
from vocabulary.ids import IdentityGroupId


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFacts:
    """What of an order money is computed from.

    `subtotal` is what its lines come to; None: it has none, or, if it `has_lines`, that is not
    known.
    """

    amount: Decimal
    subtotal: Decimal | None
    has_lines: bool
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """What a decision may see of an event.

    `triggers` are the triggers that the event fires; `context` is what conditions ask about;
    `chain` are the people above, nearest first, empty when nobody is credited; `rates` are
    those that hold as of the event.
    """

    triggers: frozenset[Trigger]
    event_time: datetime
    person: IdentityGroupId
    chain: Sequence[IdentityGroupId]
    purchase: PurchaseFacts | None
    context: Mapping[str, Any]
    rates: Mapping[Pair, ExchangeRate]
