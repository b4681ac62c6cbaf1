"""The one form of each value that a condition can name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from uuid import UUID

from domains.campaign.model.comparing import DIGITS_MAX, NUMBER, to_number
from domains.campaign.model.fields import SOURCES, FieldType
from domains.campaign.model.rule import Scalar
from vocabulary.addresses import normalize_address
from vocabulary.exact import plain, round_half_even, scale
from vocabulary.nobody import is_nobody

AMOUNT_DIGITS_MAX = 20
_AMOUNT_LIMIT = scale(Decimal(1), AMOUNT_DIGITS_MAX)
YEAR_MIN = 1990
"""No order is older, and no shop of the web."""

AMOUNT_DECIMALS_MAX = 12
_WHOLE_FLOAT_MAX = 2**53
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The whole numbers that a field can hold, both ends included."""

    low: int
    high: int
    name: str


RANGES = {
    FieldType.COUNT: Range(low=0, high=1_000, name="a number of lines, a whole number"),
    FieldType.QUANTITY: Range(low=-1_000_000, high=1_000_000, name="a quantity, a whole number"),
    FieldType.DAY: Range(low=0, high=6, name="a day of the week, a whole number"),
    FieldType.HOUR: Range(low=0, high=23, name="an hour in UTC, a whole number"),
    FieldType.TIMESTAMP: Range(
        low=631_152_000, high=253_402_300_799, name="a time in whole seconds since 1970"
    ),
}


class ValueRefusedError(Exception):
    """A field can never be this; the message goes behind the value's path."""


def to_form(kind: FieldType, value: Scalar) -> Scalar:
    """The one spelling of a value for a field of a type: a number or a text.

    Raises:
        ValueRefusedError: the field can never hold it.
    """
    return _FORMS[kind](value)


def _number(value: Scalar) -> Decimal:
    number = to_number(value)
    if number is None or not number.is_finite() or not NUMBER.fullmatch(format(number, "f")):
        raise ValueRefusedError(
            f'must be a number, like "59.80", with at most {DIGITS_MAX} digits before and after '
            "the point"
        )
    return Decimal(plain(number)) if number else Decimal(0)


def _amount(value: Scalar) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueRefusedError("must not be negative: no order's total is")
    if number >= _AMOUNT_LIMIT:
        raise ValueRefusedError(
            f"must not have more than {AMOUNT_DIGITS_MAX} digits before the point: no order's total"
            " has"
        )
    if number != round_half_even(number, AMOUNT_DECIMALS_MAX):
        raise ValueRefusedError(
            f"must not have more than {AMOUNT_DECIMALS_MAX} digits after the point: no total has"
        )
    return number


def _whole(bounds: Range, value: Scalar) -> Decimal:
    number = to_number(value)
    if (
        number is None
        or not number.is_finite()
        or not bounds.low <= number <= bounds.high
        or number != int(number)
    ):
        raise ValueRefusedError(f"must be {bounds.name} from {bounds.low} to {bounds.high}")
    return Decimal(int(number))


def _text(value: Scalar) -> str:
    if isinstance(value, Decimal):
        # An id that is a number. JSON keeps no more digits of it than a float has.
        if not value.is_finite() or value != value.to_integral_value():
            raise ValueRefusedError(
                "must be a text; only a whole number may be sent without quotes"
            )
        if abs(value) >= _WHOLE_FLOAT_MAX:
            raise ValueRefusedError("is longer than the numbers that JSON keeps: send it as a text")
        return str(int(value))
    if not isinstance(value, str):
        raise ValueRefusedError("must be a text")
    return value


def _matching(value: Scalar, pattern: re.Pattern[str], sentence: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueRefusedError(sentence)
    return value


def _address(value: Scalar) -> str:
    address = normalize_address(value) if isinstance(value, str) else None
    if address is None:
        raise ValueRefusedError(
            "must be an address, 0x and 40 hex digits, in lower case or with its EIP-55 checksum"
        )
    if is_nobody(address):
        raise ValueRefusedError(
            "is nobody's: whether there is a wallet is asked by OPERATOR_EXISTS"
        )
    return address


def _currency(value: Scalar) -> str:
    return _matching(value, _CURRENCY, 'must be a currency, three letters like "EUR"').upper()


def _uuid(value: Scalar) -> str:
    sentence = 'must be an id like "0190163d-8694-739b-aea5-966c26f8ad91"'
    text = str(UUID(_matching(value, _UUID, sentence)))
    if is_nobody(text):
        raise ValueRefusedError("is nobody's: whether there is one is asked by OPERATOR_EXISTS")
    return text


def _source(value: Scalar) -> Scalar:
    if value not in SOURCES:
        raise ValueRefusedError(f"must be one of {', '.join(SOURCES)}")
    return value


def _date(value: Scalar) -> str:
    sentence = f'must be a date from the year {YEAR_MIN} on, like "2026-11-26"'
    text = _matching(value, _DATE, sentence)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueRefusedError("is no day of the calendar") from None
    if day.year < YEAR_MIN:
        raise ValueRefusedError(sentence)
    return text


_FORMS: Mapping[FieldType, Callable[[Scalar], Scalar]] = {
    FieldType.AMOUNT: _amount,
    FieldType.NUMBER: _number,
    **{kind: partial(_whole, bounds) for kind, bounds in RANGES.items()},
    FieldType.CURRENCY: _currency,
    FieldType.UUID: _uuid,
    FieldType.ADDRESS: _address,
    FieldType.SOURCE: _source,
    FieldType.DATE: _date,
    FieldType.TEXT: _text,
}
