"""Between the contract's values and ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from guerdon.type.v1 import money_pb2
from vocabulary.amounts import TokenAmount

UNSPECIFIED = "UNSPECIFIED"

Word = TypeVar("Word", bound=StrEnum)
Number = TypeVar("Number", bound=int)


class EnumNames(Protocol[Number]):
    """What generated code offers to name an enum's values."""

    def Name(self, number: Number) -> str:  # noqa: N802 - protobuf's name
        """The value's name."""

    def Value(self, name: str) -> Number:  # noqa: N802 - protobuf's name
        """The value's number."""

    def keys(self) -> Sequence[str]:
        """The names of all values. The first one is what is unspecified."""

    def __hash__(self) -> int: ...


def word_of(
    number: Number, words: type[Word], names: EnumNames[Number], default: Word | None = None
) -> Word:
    """The model's word for a value of the contract's enum: OPERATOR_NOT_IN is `NOT_IN`."""
    word = word_if_any(number, words, names) or default
    assert word is not None, "required fields are checked before"
    return word


def word_if_any(number: Number, words: type[Word], names: EnumNames[Number]) -> Word | None:
    """The model's word; None if the field is left out."""
    return None if number == 0 else words[names.Name(number).removeprefix(_prefix(names))]


def number_of(word: StrEnum | None, names: EnumNames[Number]) -> Number:
    """The contract's number for a word of the model; none, or an empty one, is unspecified."""
    number: Number = _number_of(word, names)
    return number


# Each item of a list has some of them, and generated code is slow to find them. By type as well:
# words of two enums may be spelled alike.
@lru_cache(maxsize=None, typed=True)
def _number_of(word: StrEnum | None, names: EnumNames[Any]) -> Any:
    return names.Value(_prefix(names) + (word.name if word else UNSPECIFIED))


def _prefix(names: EnumNames[Any]) -> str:
    return names.keys()[0].removesuffix(UNSPECIFIED)


def to_timestamp(instant: datetime | None) -> Timestamp | None:
    """The instant, or nothing."""
    if instant is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp


def to_duration(span: timedelta) -> Duration:
    """The span, to the microsecond."""
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def to_datetime(timestamp: Timestamp) -> datetime:
    """The instant in UTC, to the microsecond."""
    return timestamp.ToDatetime(tzinfo=UTC)


def to_token_amount(amount: TokenAmount) -> money_pb2.TokenAmount:
    """The contract's message for an amount: base units, whole units, unit."""
    return money_pb2.TokenAmount(
        base_units=str(amount.base_units),
        amount=amount.unit.to_text(amount.base_units),
        unit=amount.unit.key,
    )
