"""The numbers and times of a report, as programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from vocabulary.exact import floor, scale

NUMBER_DIGITS_MAX = 100
"""PHP may print all digits of a float: up to 70 of an amount."""

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No shop of the web is older; the time that programs print for none is."""

EARLIEST_NUMBER = datetime(2000, 1, 1, tzinfo=UTC)
"""A number of seconds that is less is another number, or the digits of a date."""

LATEST_NUMBER = datetime(2100, 1, 1, tzinfo=UTC)
"""What is more is another number as well: `20261125101531` would be the year 2612."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 10**11
"""As seconds this is the year 5138, as milliseconds 1973: what is larger counts milliseconds."""

_EPOCH_MAX = (LATEST_NUMBER - _EPOCH) // timedelta(milliseconds=1)
_WHOLE = re.compile(r"[0-9]{1,15}")
_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,12}))?)?"
    r"(?:[Zz]|([+-][0-9]{2})(?::?([0-9]{2}))?)"
)
"""Java leaves out seconds that are zero, PHP's DATE_ISO8601 the colon of the zone."""

TIME = (
    "RFC 3339 with its zone, as in 2026-01-08T10:15:31+01:00 or 2026-01-08T09:15:31Z, "
    "or seconds or milliseconds since 1970"
)
"""What a time must be."""


def digits_of(number: Decimal) -> str | None:
    """A number without an exponent, or None: of `1e999999999` the digits fill the memory."""
    digits, exponent = number.as_tuple()[1:]
    if not isinstance(exponent, int) or max(len(digits), abs(exponent)) > NUMBER_DIGITS_MAX:
        return None
    return format(number, "f")


def instant_of(value: Any) -> datetime | None:
    """The instant that a value stands for; None: it is no time."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _from_epoch(Decimal(value))
    if not isinstance(value, str):
        return None
    if _WHOLE.fullmatch(value):
        return _from_epoch(Decimal(value))
    match = _RFC_3339.fullmatch(value)
    if match is None:
        return None
    date, clock, seconds, fraction, hours, minutes = match.groups()
    is_leap = seconds == "60"
    text = f"{date}T{clock}:{'59' if is_leap else seconds or '00'}.{f'{fraction or 0:0<6}'[:6]}"
    try:
        instant = datetime.fromisoformat(f"{text}{hours or '+00'}:{minutes or '00'}")
        return instant + timedelta(seconds=1) if is_leap else instant
    except (ValueError, OverflowError):
        return None


def earliest_of(value: Any) -> datetime:
    """The earliest instant that a value of its kind may stand for."""
    is_rfc_3339 = isinstance(value, str) and _RFC_3339.fullmatch(value) is not None
    return EARLIEST if is_rfc_3339 else EARLIEST_NUMBER


def _from_epoch(number: Decimal) -> datetime | None:
    if digits_of(number) is None or not 0 <= number < _EPOCH_MAX:
        return None
    exponent = 3 if number >= _MILLISECONDS_FROM else 6
    return _EPOCH + timedelta(microseconds=floor(scale(number, exponent)))
