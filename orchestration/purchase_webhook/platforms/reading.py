"""Reads the JSON of shops: strictly what decides, everything else as far as it goes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model.note import Notes, NoteWord
from orchestration.purchase_webhook.platforms.literals import (
    NUMBER_DIGITS_MAX,
    TIME,
    digits_of,
    earliest_of,
    instant_of,
)
from vocabulary.exact import round_half_even
from vocabulary.nobody import is_absent, is_nobody

REFERENCE_CHARACTERS_MAX = 255
WHOLE_DIGITS_MAX = 20
DECIMALS_MAX = 12
SHOWN_CHARACTERS_MAX = 40
NESTS_MAX = 20_000
"""Objects and lists of a body."""
COMMAS_MAX = 100_000
_PARTS = ((NESTS_MAX, "objects and lists", (b"{", b"[")), (COMMAS_MAX, "commas", (b",",)))
"""How much of a value a refusal shows."""

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class NotANumber:
    """What JSON does not have, and programs write: NaN, and numbers that fill the memory."""

    text: str

    @property
    def digit_count(self) -> int:
        return sum(each.isdigit() for each in self.text)


@dataclass(frozen=True, slots=True)
class Repeated:
    """What stands at a key that is there several times: nobody knows which one is meant."""


REPEATED = Repeated()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        document.update((key, REPEATED) for key, count in counts.items() if count > 1)
    return document


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Numbers are exact; a key that is there several times is no value.

    Raises:
        BodyUnusableError: it is none, or of so many parts that reading it would keep others
            waiting. They are counted as bytes, wherever they stand.
    """
    for parts_max, parts, marks in _PARTS:
        if sum(map(body.count, marks)) > parts_max:
            raise BodyUnusableError("", f"has more than {parts_max:,} {parts}")
    try:
        document = json.loads(
            # A byte that is no text is part of the one text in which it stands.
            body.decode("utf-8-sig", errors="surrogateescape"),
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=NotANumber,
            # A line break in a title is no reason to lose an order.
            strict=False,
        )
    except json.JSONDecodeError as failure:
        problem = f"is no JSON: {failure.msg} at line {failure.lineno}, column {failure.colno}"
        raise BodyUnusableError("", problem) from failure
    except (ValueError, RecursionError) as failure:
        raise BodyUnusableError("", "is nested too deeply to be read") from failure
    if not isinstance(document, dict):
        raise BodyUnusableError("", f"is {_kind_of(document)}, not a JSON object")
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The fields of an object in a report, by what is asked of them.

    Methods that begin with `need` raise `BodyUnusableError` for what they cannot take; those
    that begin with `take` leave it out and note that. null and absent are the same.
    """

    document: Mapping[str, Any]
    notes: Notes
    path: str = ""

    def path_of(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def need_reference(
        self,
        name: str,
        *,
        characters_max: int = REFERENCE_CHARACTERS_MAX,
        is_secret: bool = False,
    ) -> str:
        """An id: a text that is not empty, or a whole number."""
        value = self._need(name)
        if isinstance(value, NotANumber) and value.digit_count > NUMBER_DIGITS_MAX:
            raise BodyUnusableError(self.path_of(name), _too_long(value.digit_count))
        text = _reference(value)
        if text is None:
            shown = _kind_of(value) if is_secret else _shown(value)
            raise self._refusal(name, shown, "a text or a whole number")
        if len(text) > characters_max:
            problem = f"has {len(text)} characters; {characters_max} are the most"
            raise BodyUnusableError(self.path_of(name), problem)
        if is_absent(text):
            problem = f"is {_shown(value)}, which programs write when they have no id"
            raise BodyUnusableError(self.path_of(name), problem)
        if not _is_storable(text):
            problem = (
                "contains a character that cannot be stored: NUL, half a surrogate pair, or a byte "
                "that is not UTF-8"
            )
            raise BodyUnusableError(self.path_of(name), problem)
        return text

    def need_word(self, name: str, words: type[Word]) -> Word:
        """One of the values of an enumeration, spelled as it is there."""
        value = self._need(name)
        if isinstance(value, str) and value in list(words):
            return words(value)
        *others, last = (str(word) for word in words)
        raise self._refusal(name, _shown(value), f"{', '.join(others)} or {last}")

    def need_currency(self, name: str) -> str | None:
        """Three capital letters; None if it is absent or empty."""
        value = self.document.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value):
            return value
        raise self._refusal(name, _shown(value), "three capital letters, as in USD")

    def need_money(self, name: str, *, minor_digits: int) -> Decimal | None:
        """An amount that is not negative; None if it is absent or empty.

        A text of up to twelve decimals is taken exactly. A longer one, and a JSON number, is
        rounded to four digits more than the currency has: what is behind them, programs make of
        a sum.
        """
        value = self.document.get(name)
        if value is None or value == "":
            return None
        problem, amount = _money(value, minor_digits=minor_digits)
        if amount is None:
            raise BodyUnusableError(self.path_of(name), problem)
        if amount < 0:
            problem = f"is {_shown(value)}; it must not be negative"
            raise BodyUnusableError(self.path_of(name), problem)
        if problem:
            self.notes.add(NoteWord.ROUNDED, self.path_of(name))
        return amount

    def need_time(
        self, name: str, *, latest_time: datetime, ahead_max: timedelta = timedelta()
    ) -> datetime | None:
        """An instant, at most so much later than the latest: what is later is that.

        RFC 3339 with its zone, from 1990 on, or seconds or milliseconds since 1970, from 2000 on,
        as a number or, if they are whole, as a text. None if it is absent or empty.
        """
        value = self.document.get(name)
        if value is None or value == "":
            return None
        instant = instant_of(value)
        if instant is None:
            raise self._refusal(name, _shown(value), TIME)
        earliest = earliest_of(value)
        if instant < earliest:
            problem = f"is {_shown(value)}, which is before the year {earliest.year}"
            raise BodyUnusableError(self.path_of(name), problem)
        if instant > latest_time + ahead_max:
            self.notes.add(NoteWord.TAKEN_AS_RECEIPT, self.path_of(name))
            return latest_time + ahead_max
        # Not before: the last hours of the year 9999 have no place in UTC.
        return instant.astimezone(UTC)

    def take_person(
        self, name: str, *, characters_max: int, is_browser: bool = False
    ) -> str | None:
        """The id of a person: left out if it cannot be one, and if it stands for nobody.

        That of a browser is what a header can carry: printable ASCII.
        """
        value = self.document.get(name)
        if value is None or value == "":
            return None
        text = _reference(value)
        is_one = (
            text is not None
            and len(text) <= characters_max
            and _is_storable(text)
            and (not is_browser or (text.isascii() and text.isprintable()))
        )
        if text is None or not is_one:
            self.notes.add(NoteWord.LEFT_OUT, self.path_of(name))
            return None
        if is_nobody(text):
            self.notes.add(NoteWord.NAMES_NOBODY, self.path_of(name))
            return None
        return text

    def take_reference(self, name: str) -> str:
        """An id that nothing is decided by; empty if it cannot be one."""
        value = self.document.get(name)
        if value is None:
            return ""
        text = _reference(value)
        if text is None or len(text) > REFERENCE_CHARACTERS_MAX or not _is_storable(text):
            self.notes.add(NoteWord.LEFT_OUT, self.path_of(name))
            return ""
        return text

    def take_text(self, name: str, *, characters_max: int) -> str:
        """A text for people, cut if it is long; numbers are taken as they are written."""
        value = self.document.get(name)
        if value is None:
            return ""
        text = value if isinstance(value, str) else _reference(value)
        if text is None:
            self.notes.add(NoteWord.LEFT_OUT, self.path_of(name))
            return ""
        storable = text.replace("\0", "").encode(errors="replace").decode()
        if len(storable) > characters_max or storable != text:
            self.notes.add(NoteWord.CUT, self.path_of(name))
        return storable[:characters_max]

    def take_web_address(self, name: str, *, characters_max: int) -> str:
        """An address of the web; empty if it is none, or too long to be kept."""
        value = self.document.get(name)
        if value is None or value == "":
            return ""
        is_one = isinstance(value, str) and re.match("https?://", value, re.IGNORECASE)
        if not is_one or len(value) > characters_max or not _is_storable(value):
            self.notes.add(NoteWord.LEFT_OUT, self.path_of(name))
            return ""
        return str(value)

    def take_money(self, name: str, *, minor_digits: int) -> Decimal | None:
        """An amount that may be negative; None if it cannot be read."""
        value = self.document.get(name)
        if isinstance(value, str):
            value = value.strip()
        problem, amount = _money(value, minor_digits=minor_digits)
        if amount is not None and problem:
            self.notes.add(NoteWord.ROUNDED, self.path_of(name))
        return amount

    def take_number(self, name: str) -> Decimal | None:
        """A number, or a text that is one; None if it cannot be read."""
        value = self.document.get(name)
        return _number_in(value.strip() if isinstance(value, str) else value)

    def is_given(self, name: str) -> bool:
        """Whether it is there at all: null and an empty text are as if it were not."""
        return self.document.get(name) not in (None, "")

    def _need(self, name: str) -> Any:
        value = self.document.get(name)
        if value is None:
            raise BodyUnusableError(self.path_of(name), "is required")
        if value == "":
            raise BodyUnusableError(self.path_of(name), "must not be empty")
        return value

    def _refusal(self, name: str, shown: str, wanted: str) -> BodyUnusableError:
        return BodyUnusableError(self.path_of(name), f"is {shown}; it must be {wanted}")


def _reference(value: Any) -> str | None:
    """A text without the white space around it, or a whole number as one, `41.0` as `41`.

    None: neither.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    if digits_of(number) is None or number != number.to_integral_value():
        return None
    return str(int(number))


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL takes it: escapes can spell NUL, and halves of surrogate pairs."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _money(value: Any, *, minor_digits: int) -> tuple[str, Decimal | None]:
    """An amount, and whether it was rounded (any words); or what is wrong, and None."""
    number = _number_in(value)
    if number is None:
        text = value.text if isinstance(value, NotANumber) else value
        if isinstance(text, str) and len(text) > NUMBER_DIGITS_MAX and _DECIMAL.fullmatch(text):
            return _too_long(len(text)), None
        return f"is {_shown(value)}; it must be a decimal number, as in 59.80", None
    is_exact = isinstance(value, str) and _decimals(number) <= DECIMALS_MAX
    kept = number if is_exact else round_half_even(number, minor_digits + 4)
    whole_digits = len(format(abs(kept), "f").partition(".")[0].lstrip("0"))
    if whole_digits > WHOLE_DIGITS_MAX:
        most = f"{WHOLE_DIGITS_MAX} before the point are the most"
        return f"is {_shown(value)}, with {whole_digits} digits before the point; {most}", None
    return "" if kept == number else "rounded", kept


def _number_in(value: Any) -> Decimal | None:
    """A number, or the text of one, of not too many digits."""
    if isinstance(value, str):
        is_one = len(value) <= NUMBER_DIGITS_MAX and _DECIMAL.fullmatch(value)
        return Decimal(value) if is_one else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    return number if digits_of(number) is not None else None


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), number
    return -exponent


def _too_long(digit_count: int) -> str:
    return f"is a number of {digit_count} digits; {NUMBER_DIGITS_MAX} are the most"


def _decimal(digits: str) -> Decimal | NotANumber:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return NotANumber(digits)


def _whole(digits: str) -> int | NotANumber:
    return int(digits) if len(digits) <= NUMBER_DIGITS_MAX else NotANumber(digits)


def _shown(value: Any) -> str:
    """A value as it was sent, cut; of lists and objects only what they are."""
    match value:
        case str():
            text = json.dumps(value, ensure_ascii=False).replace("\0", "").encode(errors="replace")
            shown = text.decode()
        case bool() | int():
            shown = json.dumps(value)
        case Decimal():
            shown = str(value)
        case NotANumber():
            shown = value.text
        case _:
            return _kind_of(value)
    if len(shown) > SHOWN_CHARACTERS_MAX:
        return f"{shown[:SHOWN_CHARACTERS_MAX]}…"
    return shown


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case list():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return "there several times" if value is REPEATED else "a number"
