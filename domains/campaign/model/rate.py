"""What currencies are worth in each other, as somebody observed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from vocabulary.ids import ExchangeRateId

RATE_DIGITS_MAX = 18
"""How many digits a rate may have before its point, and how many after it."""

MANUAL = "manual"
"""The source of a rate that a person gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two currencies: how much of `quote` one unit of `base` is worth."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """One observation: one unit of the base was worth `rate` units of the quote."""

    exchange_rate_id: ExchangeRateId
    pair: Pair
    rate: Decimal
    observe_time: datetime
    source: str
    create_time: datetime

    def to_document(self) -> dict[str, str]:
        """As it is kept with the decisions that used it."""
        return {
            "rate": format(self.rate, "f"),
            "observe_time": self.observe_time.isoformat(),
            "source": self.source,
        }
