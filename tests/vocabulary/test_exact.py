"""Arithmetic on amounts, at the edge of numbers."""

from __future__ import annotations

from decimal import Decimal, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.exact import DIGITS_MAX, floor, multiply, plain, scale, total

# As many digits as a column holds: twenty before the point and eighteen after it, and more.
AMOUNTS = st.decimals(
    min_value=Decimal("-1e60"), max_value=Decimal("1e60"), allow_nan=False, places=18
)


@given(st.lists(AMOUNTS, max_size=20))
def test_a_sum_loses_no_digit(amounts: list[Decimal]) -> None:
    """The last digits of an order of a thousand lines would be missing from a reward."""
    assert Fraction(total(amounts)) == sum(map(Fraction, amounts))


@given(st.lists(AMOUNTS, max_size=4))
def test_a_product_loses_no_digit(amounts: list[Decimal]) -> None:
    """A percentage of a large order would be paid short."""
    exact = Fraction(1)
    for amount in amounts:
        exact *= Fraction(amount)
    assert Fraction(multiply(*amounts)) == exact


@given(AMOUNTS, st.integers(-40, 40))
def test_scaling_loses_no_digit(amount: Decimal, exponent: int) -> None:
    """A token of 18 decimals would be counted in other base units."""
    assert Fraction(scale(amount, exponent)) == Fraction(amount) * Fraction(10) ** exponent


@given(st.decimals(min_value=0, max_value=Decimal("1e60"), allow_nan=False, places=18))
def test_what_is_cut_off_is_less_than_one(amount: Decimal) -> None:
    """More would be paid than was earned."""
    assert 0 <= Fraction(amount) - floor(amount) < 1


@given(st.integers(0, 10**40), st.integers(0, 30))
def test_digits_are_all_written(units: int, decimals: int) -> None:
    """An amount read back would be another one."""
    amount = scale(Decimal(units), -decimals)
    text = plain(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert "." not in text or not text.endswith("0")


def test_what_cannot_be_exact_is_refused() -> None:
    """A digit would be lost in silence after all."""
    with pytest.raises(Inexact):
        multiply(Decimal("1." + "1" * DIGITS_MAX), Decimal("1.1"))


def test_the_surroundings_do_not_matter() -> None:
    """Another library's idea of precision would change what people earn."""
    with localcontext() as context:
        context.prec = 3
        assert total([Decimal("1234.5"), Decimal("0.01")]) == Decimal("1234.51")
        assert scale(Decimal(123456), 3) == Decimal(123456000)
        assert floor(Decimal("123456.9")) == 123456
