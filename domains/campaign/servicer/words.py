"""Words of the model, and the enums of the contract."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol, TypeVar

from domains.campaign.model import Asset
from guerdon.type.v1 import money_pb2

Word = TypeVar("Word", bound=StrEnum)


class EnumNames(Protocol):
    """What generated code offers to name an enum's values."""

    def Name(self, number: Any) -> str:
        """The value's name."""

    def Value(self, name: str) -> Any:
        """The value's number."""


def word_of(number: int, words: type[Word], names: EnumNames, default: Word | None = None) -> Word:
    """The model's word for a value of the contract's enum: OPERATOR_NOT_IN is `not_in`."""
    if number == 0:
        assert default is not None, "required fields are checked before"
        return default
    return words(names.Name(number).removeprefix(_prefix(names)).lower())


def number_of(word: StrEnum, names: EnumNames) -> Any:
    """The contract's number for a word of the model."""
    return names.Value(_prefix(names) + word.value.upper())


def _prefix(names: EnumNames) -> str:
    return names.Name(0).removesuffix("UNSPECIFIED")


def to_asset(number: int) -> Asset:
    """The asset; the merchant's token when none is said."""
    return word_of(number, Asset, money_pb2.Asset, Asset.TOKEN)
