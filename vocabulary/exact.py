"""Arithmetic on money: every operation on a Decimal that is an amount, and exact.

Python's own operators round to 28 digits in silence. These raise instead of losing a digit; a
test keeps the operators out of the packages that handle amounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation

DIGITS_MAX = 400
"""More than a product of any four numbers that we store has."""

_EXACT = Context(prec=DIGITS_MAX, traps=[Inexact, InvalidOperation])
_HALF_EVEN = Context(prec=DIGITS_MAX, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_DOWN = Context(prec=DIGITS_MAX, rounding=ROUND_DOWN, traps=[InvalidOperation])


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum; 0 of nothing."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def multiply(*factors: Decimal) -> Decimal:
    """The exact product; 1 of nothing."""
    result = Decimal(1)
    for factor in factors:
        result = _EXACT.multiply(result, factor)
    return result


def scale(amount: Decimal, exponent: int) -> Decimal:
    """`amount` times 10 ** `exponent`, exactly."""
    return amount.scaleb(exponent, _EXACT)


def floor(amount: Decimal) -> int:
    """The whole number below an amount that is not negative: what is owed is rounded here."""
    assert amount >= 0, amount
    return int(amount.to_integral_value(context=_DOWN))


def round_half_even(amount: Decimal, decimals: int) -> Decimal:
    """The amount with so many digits after the point at the most, for what was never meant."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), amount
    if -exponent <= decimals:
        return amount
    return amount.quantize(scale(Decimal(1), -decimals), context=_HALF_EVEN)


def plain(amount: Decimal) -> str:
    """The number in digits: no exponent, no trailing zeros after the point."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
