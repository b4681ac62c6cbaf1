"""Exact amounts. Floating point appears nowhere near money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from vocabulary.exact import plain, scale

BASE_UNITS_MAX = 10**78 - 1
"""As many digits as NUMERIC(78, 0) holds, which is more than a uint256 has."""

SOFT_DECIMALS = 6
"""The decimals of discounts and points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What amounts are counted in: a token on a chain, or a soft asset of a merchant.

    `key` is `<chain id>:<address in lower case>` for a token, else `discount` or `points`.
    One whole unit is 10 ** `decimals` base units.
    """

    key: str
    decimals: int

    def to_base_units(self, amount: Decimal) -> int:
        """Counts base units in `amount` whole units.

        Raises:
            ValueError: the amount has more decimals than the unit, or is negative, or is
                larger than any ledger holds.
        """
        scaled = scale(amount, self.decimals)
        base_units = int(scaled)
        if scaled != base_units or not 0 <= base_units <= BASE_UNITS_MAX:
            raise ValueError
        return base_units

    def to_amount(self, base_units: int) -> Decimal:
        """The amount in whole units."""
        return scale(Decimal(base_units), -self.decimals)

    def to_text(self, base_units: int) -> str:
        """The amount in whole units, without an exponent or trailing zeros."""
        return plain(self.to_amount(base_units))


def token_unit(*, chain_id: int, token_address: str, decimals: int) -> Unit:
    """The unit of a token."""
    return Unit(key=f"{chain_id}:{token_address}", decimals=decimals)


DISCOUNT = Unit(key="discount", decimals=SOFT_DECIMALS)
POINTS = Unit(key="points", decimals=SOFT_DECIMALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAmount:
    """A non-negative amount of one unit, counted in base units."""

    unit: Unit
    base_units: int

    def __post_init__(self) -> None:
        assert 0 <= self.base_units <= BASE_UNITS_MAX, self.base_units
