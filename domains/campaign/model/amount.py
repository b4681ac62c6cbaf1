"""How much is paid, and how it is shared along a chain. Whole numbers of base units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from domains.campaign.model.rule import Chaining, FixedAmount, PercentageAmount
from vocabulary.amounts import BASE_UNITS_MAX, Unit
from vocabulary.exact import floor, multiply, scale

PERCENT_SCALE = 6
"""Percents carry up to 6 decimals, so a percentage is a whole number of millionths of one."""
_HUNDRED = 100 * 10**PERCENT_SCALE


class AmountError(Exception):
    """A reward cannot be computed. The message says why, for the decision's record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One person's part. Depth 0 is the buyer, 1 the direct referrer, and upwards."""

    depth: int
    base_units: int


def to_percent_millionths(percent: Decimal) -> int:
    """A percentage as the whole number of millionths of a percent that it is."""
    scaled = scale(percent, PERCENT_SCALE)
    assert scaled == int(scaled), percent
    return int(scaled)


def fixed(amount: FixedAmount, unit: Unit) -> int:
    """The base units of a fixed amount, which was held against its unit when it was saved."""
    return unit.to_base_units(amount.amount)


def goods(total: Decimal, subtotal: Decimal | None, *, has_lines: bool) -> Decimal:
    """What the lines of an order come to; of one without lines its total.

    Raises:
        AmountError: that is not known.
    """
    if subtotal is None and has_lines:
        message = "it is not known what the order's lines come to"
        raise AmountError(message)
    # Discounts may be lines, and come to more than all others.
    return max(total if subtotal is None else subtotal, Decimal(0))


def percentage(amount: PercentageAmount, *, base: Decimal, rate: Decimal, unit: Unit) -> int:
    """A part of `base`, converted with `rate` whole units for one of its currency.

    Exact until the end, where it is rounded down to a base unit, once. The least wins over
    the most.

    Raises:
        AmountError: nothing is left.
    """
    whole = scale(multiply(base, amount.percent, rate), -2)
    if amount.amount_max is not None:
        whole = min(whole, amount.amount_max)
    if amount.amount_min is not None:
        whole = max(whole, amount.amount_min)
    base_units = floor(scale(whole, unit.decimals))
    if base_units <= 0:
        message = "the amount is less than the smallest unit"
        raise AmountError(message)
    if base_units > BASE_UNITS_MAX:
        message = "the amount is larger than any ledger holds"
        raise AmountError(message)
    return base_units


def split(base_units: int, chaining: Chaining, chain: Sequence[object]) -> list[Share]:
    """Shares an amount between the buyer and the people above, losing nothing.

    The buyer gets their percentage rounded down; of the rest, each person gets a percentage
    of what is left, rounded down, and the last one gets what is left. Shares of nothing are
    dropped. The chain is cut at the definition's depth.
    """
    assert chain, "nobody to share with"
    length = min(len(chain), chaining.depth_max)
    user = to_percent_millionths(chaining.user_percent)
    level = to_percent_millionths(chaining.level_percent)
    shares = [Share(depth=0, base_units=base_units * user // _HUNDRED)]
    rest = base_units - shares[0].base_units
    for depth in range(1, length):
        part = rest * level // _HUNDRED
        shares.append(Share(depth=depth, base_units=part))
        rest -= part
    shares.append(Share(depth=length, base_units=rest))
    return [share for share in shares if share.base_units > 0]
