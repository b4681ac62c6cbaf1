"""Amounts in units and base units, and what is computed with them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from vocabulary.amounts import BASE_UNITS_MAX, DISCOUNT, Unit
from vocabulary.exact import floor, multiply, plain, scale, total

TOKEN = Unit(key="1:0x00", decimals=18)
LARGE = Decimal("123456789012345678.123456789012345678")


def test_a_sum_and_a_product_are_exact_however_many_digits_they_have() -> None:
    """Python rounds to 28 digits in silence: the last digits of a large order would be lost."""
    assert total([LARGE, LARGE, LARGE]) == Decimal("370370367037037034.370370367037037034")
    assert total([]) == 0
    assert multiply(LARGE, Decimal(3)) == Decimal("370370367037037034.370370367037037034")
    assert multiply(Decimal("1e-30"), Decimal("1e30"), LARGE) == LARGE
    assert scale(LARGE, 18) == Decimal(123456789012345678123456789012345678)


@pytest.mark.parametrize(
    ("amount", "whole"), [("0", 0), ("0.999999", 0), ("1", 1), ("1.5", 1), (f"{10**40}.9", 10**40)]
)
def test_what_is_left_over_is_cut_off(amount: str, whole: int) -> None:
    """A merchant would pay a base unit more than was agreed, in each reward."""
    assert floor(Decimal(amount)) == whole


@pytest.mark.parametrize("amount", ["0.0000000000000000001", "-1", f"{BASE_UNITS_MAX}"])
def test_what_a_unit_cannot_count_is_refused(amount: str) -> None:
    """An amount would be cut to what the token can pay, and nobody told."""
    with pytest.raises(ValueError, match=r"^$"):
        TOKEN.to_base_units(Decimal(amount))


def test_base_units_are_counted_and_read_alike() -> None:
    """A budget of a million would be one of a millionth."""
    assert TOKEN.to_base_units(Decimal("1.5")) == 15 * 10**17
    assert DISCOUNT.to_base_units(Decimal("0.000001")) == 1
    assert TOKEN.to_text(15 * 10**17) == "1.5"
    assert plain(Decimal("1E+3")) == "1000"
