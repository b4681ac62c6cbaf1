"""What is wrong with a message, whatever its own rules say.

A REQUIRED field is missing; a text holds the character NUL, which PostgreSQL cannot store; an
enum has a number that the contract does not name; an instant or a span is out of range. What
to check is worked out once for each type, so a good message costs a microsecond or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from server.interception.refusals import Violation

NESTING_MAX = 32
"""Deeper than the deepest message that a rule allows: groups of conditions nest 8 deep."""

_NUL = "\0"
_NANOS_MAX = 999_999_999
# The years 1 to 9999, as Timestamp defines them and a datetime holds them, but for the first
# and the last microsecond: the database's driver takes those for infinity.
_TIMESTAMP_MIN, _TIMESTAMP_END = (-62_135_596_800, 1_000), (253_402_300_799, 999_999_000)
# 10,000 years, as Duration defines them.
_DURATION_SECONDS_MAX = 315_576_000_000

_REQUIRED = "is required"
_HOLDS_NUL = "must not contain the character NUL"
_UNKNOWN_NUMBER = "is a number that this version does not know"
_TOO_DEEP = f"is nested more than {NESTING_MAX} deep"

Check = Callable[[Any, str, int, list[Violation]], None]
"""Looks at a message that stands at a path and a depth, and adds what it finds."""


def faults_of(message: Message) -> list[Violation]:
    """Everything that is wrong with the message and the messages inside it."""
    found: list[Violation] = []
    _check(message, "", 0, found)
    return found


def prepare(descriptor: Descriptor) -> None:
    """Works out the checks of a type, and of those inside it, ahead of the first call.

    Asserts that the contract holds nothing that no check looks at.
    """
    waiting, seen = [descriptor], set()
    while waiting:
        current = waiting.pop()
        if current.full_name not in seen:
            seen.add(current.full_name)
            _checks_of(GetMessageClass(current))
            waiting += [_type_of(field) for field in current.fields if _is_ours(field)]


def is_required(field: FieldDescriptor) -> bool:
    """Whether the contract says that the field must be sent."""
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviours


_known: dict[type[Any], Sequence[Check]] = {}


def _check(message: Any, path: str, depth: int, found: list[Violation]) -> None:
    if depth > NESTING_MAX:
        found.append(Violation(path=path.rstrip("."), description=_TOO_DEEP))
        return
    checks = _known.get(type(message))
    for check in _checks_of(type(message)) if checks is None else checks:
        check(message, path, depth, found)


def _checks_of(kind: type[Any]) -> Sequence[Check]:
    checks = _known[kind] = tuple(_make_checks(kind.DESCRIPTOR))
    return checks


def _make_checks(message: Descriptor) -> Iterator[Check]:
    for field in message.fields:
        if is_required(field):
            yield _required_present(field.name) if field.has_presence else _required(field.name)
    texts = [field.name for field in _texts_of(message) if not field.is_repeated]
    if texts:
        yield _texts(texts)
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_STRING and field.is_repeated:
            yield _text_list(field.name)
        elif field.enum_type is not None:
            numbers = _numbers_of(field.enum_type)
            yield (_enum_list if field.is_repeated else _enum)(field.name, numbers)
        elif _is_ours(field):
            yield (_inside_list if field.is_repeated else _inside)(field.name)
        elif field.message_type is not None and field.message_type.full_name in _WELL_KNOWN:
            assert not field.is_repeated, f"{field.full_name}: no check looks into such a list"
            yield _value(field.name, *_WELL_KNOWN[field.message_type.full_name])


def _texts_of(message: Descriptor) -> Iterator[FieldDescriptor]:
    return (field for field in message.fields if field.type == FieldDescriptor.TYPE_STRING)


def _required(name: str) -> Check:
    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        if not getattr(message, name):
            found.append(Violation(path=path + name, description=_REQUIRED))

    return check


def _required_present(name: str) -> Check:
    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        if not message.HasField(name):
            found.append(Violation(path=path + name, description=_REQUIRED))

    return check


def _texts(names: Sequence[str]) -> Check:
    """All texts at once: joining them costs less than looking at each."""
    values = attrgetter(*names)

    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        if _NUL in "".join(values(message)):
            bad = (name for name in names if _NUL in getattr(message, name))
            found += _violations(path, bad, _HOLDS_NUL)

    return check


def _text_list(name: str) -> Check:
    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        bad = (f"{name}[{i}]" for i, text in enumerate(getattr(message, name)) if _NUL in text)
        found += _violations(path, bad, _HOLDS_NUL)

    return check


def _enum(name: str, numbers: frozenset[int]) -> Check:
    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        if getattr(message, name) not in numbers:
            found.append(Violation(path=path + name, description=_UNKNOWN_NUMBER))

    return check


def _enum_list(name: str, numbers: frozenset[int]) -> Check:
    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        values = enumerate(getattr(message, name))
        bad = (f"{name}[{index}]" for index, number in values if number not in numbers)
        found += _violations(path, bad, _UNKNOWN_NUMBER)

    return check


def _inside(name: str) -> Check:
    def check(message: Any, path: str, depth: int, found: list[Violation]) -> None:
        if message.HasField(name):
            _check(getattr(message, name), f"{path}{name}.", depth + 1, found)

    return check


def _inside_list(name: str) -> Check:
    def check(message: Any, path: str, depth: int, found: list[Violation]) -> None:
        for index, each in enumerate(getattr(message, name)):
            _check(each, f"{path}{name}[{index}].", depth + 1, found)

    return check


def _value(name: str, is_good: Callable[[Any], bool], description: str) -> Check:
    def check(message: Any, path: str, _: int, found: list[Violation]) -> None:
        if message.HasField(name) and not is_good(getattr(message, name)):
            found.append(Violation(path=path + name, description=description))

    return check


def _violations(path: str, names: Iterable[str], description: str) -> Iterator[Violation]:
    return (Violation(path=path + name, description=description) for name in names)


def _is_timestamp(value: Timestamp) -> bool:
    in_range = _TIMESTAMP_MIN <= (value.seconds, value.nanos) < _TIMESTAMP_END
    return in_range and 0 <= value.nanos <= _NANOS_MAX


def _is_duration(value: Duration) -> bool:
    in_range = abs(value.seconds) <= _DURATION_SECONDS_MAX and abs(value.nanos) <= _NANOS_MAX
    # Both parts point the same way.
    return in_range and value.seconds * value.nanos >= 0


def _is_json_without_nul(value: Any) -> bool:
    """Whether no text and no key anywhere in JSON of any shape holds NUL."""
    match value.DESCRIPTOR.name:
        case "Struct":
            pairs = value.fields.items()
            return all(_NUL not in key and _is_json_without_nul(each) for key, each in pairs)
        case "ListValue":
            return all(map(_is_json_without_nul, value.values))
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return _NUL not in value.string_value
    return kind not in {"struct_value", "list_value"} or _is_json_without_nul(getattr(value, kind))


_WELL_KNOWN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "google.protobuf.Timestamp": (
        _is_timestamp,
        "must lie inside of the years 1 to 9999, not at their very ends",
    ),
    "google.protobuf.Duration": (_is_duration, "must be at most 10,000 years"),
    "google.protobuf.Value": (_is_json_without_nul, _HOLDS_NUL),
    "google.protobuf.ListValue": (_is_json_without_nul, _HOLDS_NUL),
    "google.protobuf.Struct": (_is_json_without_nul, _HOLDS_NUL),
}


def _numbers_of(enum: EnumDescriptor) -> frozenset[int]:
    return frozenset(enum.values_by_number)


def _type_of(field: FieldDescriptor) -> Descriptor:
    inside = field.message_type
    assert inside is not None
    assert not inside.GetOptions().map_entry, f"{field.full_name}: no check looks into a map"
    return inside


def _is_ours(field: FieldDescriptor) -> bool:
    inside = field.message_type
    return inside is not None and inside.file.package.startswith("guerdon.")
