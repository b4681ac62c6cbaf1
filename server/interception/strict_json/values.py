"""JSON values to the values of fields, as proto3 JSON reads them, and exactly."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from buf.validate import validate_pb2
from infrastructure.rpc.contract import ContractError
from infrastructure.rpc.updating import EVERYTHING
from server.interception.strict_json.parsing import Number, is_encodable, kind_of

Scalar = Callable[[Any], Any]
"""Reads a JSON value.

Raises MisreadError.
"""

Special = TypeVar("Special", Timestamp, Duration, FieldMask)

SURROGATE = "holds half of a pair of surrogates, which is no character"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_SPAN = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?s")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}")
_CHARACTERS_MAX = 40
_EXPONENT_MAX = 400
"""Of a number; the longest that any field takes has 20 digits, a double's exponent is below 330."""

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_WITH_RANGE = frozenset({"int32", "int64", "uint32", "uint64"})


class MisreadError(Exception):
    """A value is not of its field's type. The text says why, as the end of a sentence."""


def scalar_of(field: FieldDescriptor) -> Scalar:
    """Reads the values of a field that is no message.

    Raises:
        ContractError: it is a floating-point number, which no field that decides may be.
    """
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.cpp_type in _RANGES:
        return _whole_number(_RANGES[field.cpp_type], told=_allowed(field))
    match field.type:
        case FieldDescriptor.TYPE_BOOL:
            return read_truth
        case FieldDescriptor.TYPE_STRING:
            return read_text
        case FieldDescriptor.TYPE_BYTES:
            return _read_bytes
    message = f"{field.full_name} is read strictly, and its type has no exact values"
    raise ContractError(message)


def read_truth(value: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise _wrong("true or false", value)


def read_text(value: Any) -> str:
    """A text that UTF-8 has."""
    if type(value) is not str:
        quotes = ", which stands in quotes here" if isinstance(value, Number) else ""
        raise MisreadError(f"must be text, and is {kind_of(value)}{quotes}")
    if not is_encodable(value):
        raise MisreadError(SURROGATE)
    return value


def read_double(value: Number) -> float:
    """A number of JSON of any shape, which is kept as a double.

    Raises:
        MisreadError: a double is another number.
    """
    kept = float(value)
    # repr() has the fewest digits that mean this double, so it is what the number is read as.
    shown = repr(kept)
    if shown != value and (not math.isfinite(kept) or _exact(value) != Decimal(shown)):
        raise MisreadError("is a number that is not kept exactly; send it as text")
    return kept


def _allowed(field: FieldDescriptor) -> tuple[int, int]:
    """The least and the most that the field's rule lets through: within its type, or less."""
    least, most = _RANGES[field.cpp_type]
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    kind = rules.WhichOneof("type")
    if kind not in _WITH_RANGE:
        return least, most
    range_of: Any = getattr(rules, kind)
    ends = {end.name: value for end, value in range_of.ListFields()}
    least = max(least, ends.get("gte", least), ends.get("gt", least - 1) + 1)
    return least, min(most, ends.get("lte", most), ends.get("lt", most + 1) - 1)


def _whole_number(range_of_type: tuple[int, int], *, told: tuple[int, int]) -> Scalar:
    """`told` is the range that is told: what is outside of the type is outside of that as well."""
    least, most = range_of_type
    expected = f"a whole number from {told[0]} to {told[1]}"

    def read(value: Any) -> int:
        text = value if isinstance(value, Number) or type(value) is str else ""
        if not _NUMBER.fullmatch(text):
            # What its rule allows may be less.
            raise _wrong("a whole number", value)
        number = _whole(text)
        if number is None or not least <= number <= most:
            raise MisreadError(f"must be {expected}")
        return number

    return read


def _exact(text: str) -> Decimal | None:
    """A number as it is written; None if it has more digits than any field keeps."""
    _, _, exponent = text.lower().partition("e")
    if len(text) > _CHARACTERS_MAX or abs(int(exponent or 0)) > _EXPONENT_MAX:
        return None
    return Decimal(text)


def _whole(text: str) -> int | None:
    """The whole number that is written, `1e3` and `2.0` among them; None if it is none."""
    number = _exact(text)
    if number is None or number.adjusted() > _CHARACTERS_MAX:
        return None
    return int(number) if number == number.to_integral_value() else None


def _enum(enum: EnumDescriptor) -> Scalar:
    numbers: Mapping[str, int] = {name: each.number for name, each in enum.values_by_name.items()}
    # As everywhere at the edge, capitals or not is the same.
    numbers = {**{name.lower(): number for name, number in numbers.items()}, **numbers}
    allowed = ", ".join(
        name for name, each in enum.values_by_name.items() if not name.endswith("_UNSPECIFIED")
    )
    expected = f"must be one of {allowed}"

    def read(value: Any) -> int:
        if type(value) is str:
            number = numbers.get(value)
            number = numbers.get(value.lower()) if number is None else number
        elif isinstance(value, Number):
            number = _whole(value)
            number = number if number in enum.values_by_number else None
        else:
            raise MisreadError(f"{expected}, and is {kind_of(value)}")
        if number is None:
            raise MisreadError(expected)
        return number

    return read


def _read_bytes(value: Any) -> bytes:
    text = read_text(value)
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    if _BASE64.fullmatch(text) is None:
        raise MisreadError("must be Base64")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as problem:
        raise MisreadError("must be Base64") from problem


def read_timestamp(value: Any) -> Timestamp:
    """An instant as RFC 3339 writes it, to the nanosecond."""
    read = Timestamp()
    return _from_text(value, read, _INSTANT, "an instant like 2030-12-31T23:59:59Z")


def read_duration(value: Any) -> Duration:
    """A span in seconds, to the nanosecond."""
    read = Duration()
    return _from_text(value, read, _SPAN, "a span in seconds like 2592000s")


def read_field_mask(value: Any) -> FieldMask:
    """Paths of fields in the names of JSON, between commas; or `*`, which stands for all."""
    if value == EVERYTHING:
        return FieldMask(paths=[EVERYTHING])
    read = FieldMask()
    return _from_text(value, read, re.compile(r"[A-Za-z0-9.,]*"), "names of fields like name,rule")


def _from_text(value: Any, read: Special, shape: re.Pattern[str], expected: str) -> Special:
    if type(value) is not str or shape.fullmatch(value) is None:
        raise _wrong(expected, value)
    try:
        read.FromJsonString(value)
    except (ValueError, OverflowError) as problem:
        raise MisreadError(f"must be {expected}, and is out of all bounds") from problem
    return read


def _wrong(expected: str, value: Any) -> MisreadError:
    is_text = type(value) is str
    return MisreadError(f"must be {expected}" + ("" if is_text else f", and is {kind_of(value)}"))
