"""How much is paid, and how it is shared along a chain."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.campaign.model import Chaining, PercentageAmount
from domains.campaign.model.amount import AmountError, Share, percentage, split
from domains.campaign.model.amount import fixed as fixed_base_units
from tests.support.campaign import TOKEN, chainings
from tests.support.rules import chained, fixed, percent
from vocabulary.amounts import BASE_UNITS_MAX, POINTS, Unit, token_unit

CENTS = Unit(key="cents", decimals=2)
WEI = Unit(key="wei", decimals=18)
LARGEST_ORDER = "99999999999999999999.999999999999"


def a_part(share: str, *, least: str | None = None, most: str | None = None) -> PercentageAmount:
    return PercentageAmount(
        percent=Decimal(share),
        amount_min=None if least is None else Decimal(least),
        amount_max=None if most is None else Decimal(most),
    )


def of_order(amount: PercentageAmount, base: str, *, rate: str = "1", unit: Unit = TOKEN) -> str:
    """What a part of an order is, in whole units."""
    return unit.to_text(percentage(amount, base=Decimal(base), rate=Decimal(rate), unit=unit))


@pytest.mark.parametrize(
    ("amount", "unit", "base_units"),
    [
        ("1", TOKEN, 10**6),
        ("0.000001", TOKEN, 1),
        ("0.30", POINTS, 300_000),
        ("1.000000000000000001", WEI, 10**18 + 1),
        ("123456789012345678901234567890", WEI, 123456789012345678901234567890 * 10**18),
    ],
)
def test_a_fixed_amount_is_counted_exactly(amount: str, unit: Unit, base_units: int) -> None:
    """Somebody would get a unit more or less than was promised."""
    assert fixed_base_units(fixed(amount), unit) == base_units


@pytest.mark.parametrize(
    ("share", "base", "unit", "paid"),
    [
        ("5", "59.99", TOKEN, "2.9995"),
        ("7.5", "33.335", TOKEN, "2.500125"),
        ("100", "59.80", TOKEN, "59.8"),
        # Down to a unit, and only once: 7.5 % of 33.339 is 2.500425.
        ("7.5", "33.339", CENTS, "2.5"),
        ("33.333333", "0.10", CENTS, "0.03"),
        ("5", "59.99", CENTS, "2.99"),
        ("99.999999", "0.000001", WEI, "0.00000099999999"),
        ("0.000001", "99999999999999999999", TOKEN, "999999999999.999999"),
        ("100", LARGEST_ORDER, WEI, LARGEST_ORDER),
        ("0.000001", LARGEST_ORDER, WEI, "999999999999.999999999999999999"),
    ],
)
def test_a_part_of_an_order_is_exact_and_rounded_down_once(
    share: str, base: str, unit: Unit, paid: str
) -> None:
    """People would be paid more than the merchant promised, or a unit too little each time."""
    assert of_order(a_part(share), base, unit=unit) == paid


def test_a_rate_is_applied_before_anything_is_rounded() -> None:
    """An order in another currency would lose up to a cent at each step."""
    # 5 % of 0.33 dollars is 0.0165; in euros at 0.925 it is 0.0152625.
    assert of_order(a_part("5"), "0.33", rate="0.925") == "0.015262"
    assert of_order(a_part("5"), "0.33", rate="0.925", unit=CENTS) == "0.01"


@pytest.mark.parametrize(
    ("amount", "base", "paid"),
    [
        (a_part("10", most="5"), "49.99", "4.999"),
        (a_part("10", most="5"), "50", "5"),
        (a_part("10", most="5"), "50.01", "5"),
        (a_part("10", least="2"), "20.01", "2.001"),
        (a_part("10", least="2"), "20", "2"),
        (a_part("10", least="2"), "19.99", "2"),
        (a_part("10", least="2"), "0", "2"),
        (a_part("10", least="2", most="5"), "30", "3"),
        # They contradict each other: the least wins.
        (a_part("10", least="5", most="2"), "30", "5"),
        (a_part("10", least="5", most="2"), "1000", "5"),
    ],
)
def test_limits_hold_and_the_least_wins(amount: PercentageAmount, base: str, paid: str) -> None:
    """A merchant would pay more than the most, or a person get less than the least."""
    assert of_order(amount, base) == paid


def test_limits_are_in_what_is_paid_and_not_in_the_order_s_currency() -> None:
    """A merchant's most would be worth more in one country than in another."""
    assert of_order(a_part("10", most="5"), "100", rate="0.9") == "5"
    assert of_order(a_part("10", most="5"), "100", rate="0.4") == "4"


@pytest.mark.parametrize(("share", "base"), [("5", "0"), ("1", "0.000099"), ("0.000001", "1")])
def test_less_than_the_smallest_unit_is_nothing_to_pay(share: str, base: str) -> None:
    """A reward of nothing would be written into the ledger."""
    with pytest.raises(AmountError, match="smallest unit"):
        of_order(a_part(share), base)


def test_what_no_ledger_holds_is_refused_and_the_largest_is_paid() -> None:
    """An absurd order would break the batch that it is in, and with it the orders of others."""
    unit = token_unit(chain_id=1, token_address="0x", decimals=0)
    largest = percentage(percent("100"), base=Decimal(BASE_UNITS_MAX), rate=Decimal(1), unit=unit)
    assert largest == BASE_UNITS_MAX
    with pytest.raises(AmountError, match="larger than any ledger"):
        percentage(percent("100"), base=Decimal(BASE_UNITS_MAX + 1), rate=Decimal(1), unit=unit)


@given(
    share=st.decimals(min_value=Decimal("0.000001"), max_value=100, places=6),
    base=st.decimals(min_value=0, max_value=Decimal(LARGEST_ORDER), places=12),
    rate=st.decimals(min_value=Decimal("0.0000000001"), max_value=10**6, places=10),
    decimals=st.integers(min_value=0, max_value=36),
)
def test_a_part_is_the_floor_of_the_exact_fraction(
    share: Decimal, base: Decimal, rate: Decimal, decimals: int
) -> None:
    """Some amount would be off by a unit, and replaying the decision would not give it again."""
    exact = Fraction(base) * Fraction(share) / 100 * Fraction(rate) * 10**decimals
    unit = Unit(key="any", decimals=decimals)
    part = PercentageAmount(percent=share)
    if exact < 1:
        with pytest.raises(AmountError):
            percentage(part, base=base, rate=rate, unit=unit)
    else:
        assert percentage(part, base=base, rate=rate, unit=unit) == exact // 1


@pytest.mark.parametrize(
    ("total", "user", "level", "length", "shares"),
    [
        ("100", "20", "50", 1, "20 80"),
        ("100", "20", "50", 2, "20 40 40"),
        ("100", "20", "50", 3, "20 40 20 20"),
        ("100", "20", "50", 5, "20 40 20 10 5 5"),
        ("10", "10", "80", 3, "1 7.2 1.44 0.36"),
        ("10", "0", "50", 2, "- 5 5"),
        ("10", "100", "50", 2, "10 - -"),
        ("7.77", "12.5", "70", 3, "0.97125 4.759125 1.427737 0.611888"),
        ("10", "15", "33", 4, "1.5 2.805 1.87935 1.259164 2.556486"),
        # Nobody's floor reaches a unit, so the last one gets the only one there is.
        ("0.000001", "20", "50", 3, "- - - 0.000001"),
        ("0.000002", "0", "50", 3, "- 0.000001 - 0.000001"),
        ("100", "0", "50", 3, "- 50 25 25"),
        ("100", "0", "80", 3, "- 80 16 4"),
        ("100", "0", "0", 3, "- - - 100"),
        ("100", "0", "100", 3, "- 100 - -"),
        ("100", "20", "50", 8, "20 40 20 10 5 5"),
    ],
)
def test_a_chain_shares_as_was_promised(
    total: str, user: str, level: str, length: int, shares: str
) -> None:
    """People above the buyer would get other shares than the merchant promised them."""
    pool = TOKEN.to_base_units(Decimal(total))

    made = split(pool, chained(user, level), range(length))

    promised = [
        Share(depth=depth, base_units=TOKEN.to_base_units(Decimal(share)))
        for depth, share in enumerate(shares.split())
        if share != "-"
    ]
    assert made == promised
    assert sum(share.base_units for share in made) == pool


_POOLS = st.integers(min_value=1, max_value=BASE_UNITS_MAX) | st.integers(min_value=1, max_value=99)


@given(pool=_POOLS, chaining=chainings(), length=st.integers(min_value=1, max_value=30))
def test_a_split_loses_and_invents_nothing(pool: int, chaining: Chaining, length: int) -> None:
    """A chain would be paid more than the reward, or keep some of it; or somebody would get
    a reward of nothing; or a person too far above would get one.
    """
    shares = split(pool, chaining, range(length))

    assert sum(share.base_units for share in shares) == pool
    assert all(share.base_units > 0 for share in shares)
    depths = [share.depth for share in shares]
    assert depths == sorted(set(depths))
    assert depths[-1] <= min(length, chaining.depth_max)
    assert shares == split(pool, chaining, range(length))
    assert shares == split(pool, chaining, range(min(length, chaining.depth_max)))


@given(pool=_POOLS, chaining=chainings(), length=st.integers(min_value=1, max_value=30))
def test_each_share_is_its_percentage_rounded_down(
    pool: int, chaining: Chaining, length: int
) -> None:
    """Somebody would get a unit that is another one's."""
    got = {share.depth: share.base_units for share in split(pool, chaining, range(length))}

    buyer = pool * Fraction(chaining.user_percent) / 100 // 1
    assert got.get(0, 0) == buyer
    rest = pool - buyer
    last = min(length, chaining.depth_max)
    for depth in range(1, last):
        share = rest * Fraction(chaining.level_percent) / 100 // 1
        assert got.get(depth, 0) == share
        rest -= share
    assert got.get(last, 0) == rest


def test_nobody_shares_with_nobody() -> None:
    """A reward for a chain that is empty would vanish."""
    with pytest.raises(AssertionError, match="nobody"):
        split(100, chained("20", "50"), [])
