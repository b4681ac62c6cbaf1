"""What is wrong with a message, whatever its own rules say.

A REQUIRED field is missing; a text holds the character NUL, which PostgreSQL cannot store; an
enum has a number that the contract does not name; an instant or a span is out of range. What
to check is worked out once for each type, so a good message costs a microsecond or two.

What a bad one costs is bounded too: the walk ends with the faults that are told, and with so many
messages and values that no request of use has more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from buf.validate import validate_pb2
from guerdon.options.v1 import method_pb2
from server.interception.refusals import VIOLATIONS_MAX, Violation

NESTING_MAX = 32
"""Deeper than the deepest message that a rule allows: groups of conditions nest 8 deep."""
MESSAGES_MAX = 2_000
"""Of ours in a request. The 200 conditions of a rule are 400, and their groups not many more."""
VALUES_MAX = 6_000
"""Of JSON of any shape in a request. The lists of a rule have up to 5,000."""

_NUL = "\0"
_NANOS_MAX = 999_999_999
# The years 1 to 9999, as Timestamp defines them and a datetime holds them, but for the first
# and the last microsecond: the database's driver takes those for infinity.
_TIMESTAMP_MIN, _TIMESTAMP_END = (-62_135_596_800, 1_000), (253_402_300_799, 999_999_000)
# 10,000 years, as Duration defines them.
_DURATION_SECONDS_MAX = 315_576_000_000

_REQUIRED = "is required"
_HOLDS_NUL = "must not contain the character NUL"
_NO_INSTANT = (
    "must lie inside of the years 1 to 9999, not at their very ends, and have up to 999,999,999 "
    "nanoseconds"
)
_TOO_DEEP = f"is nested more than {NESTING_MAX} deep"


class EnoughError(Exception):
    """Nothing more is looked for."""


class Faults:
    """What is found in one request, as it is walked.

    `has_more`: there is more wrong than is told. `is_heavy`: it is too large to be looked at again.
    """

    __slots__ = ("_is_read", "_messages_left", "_values_left", "has_more", "is_heavy", "violations")

    def __init__(self, is_read: Callable[[str], bool] | None = None) -> None:
        self._is_read = is_read
        self.violations: list[Violation] = []
        self.has_more = False
        self.is_heavy = False
        self._messages_left = MESSAGES_MAX
        self._values_left = VALUES_MAX

    def add(self, path: str, description: str) -> None:
        """Adds a fault of what is read.

        Raises:
            EnoughError: as many are known as are told.
        """
        if self._is_read is not None and not self._is_read(path):
            return
        self._append(path, description)

    def _append(self, path: str, description: str) -> None:
        if len(self.violations) == VIOLATIONS_MAX:
            self.has_more = True
            raise EnoughError
        self.violations.append(Violation(path=path, description=description))

    def add_heavy(self, path: str, description: str) -> None:
        """Adds a fault because of which the request is not looked at again."""
        self.is_heavy = True
        self._append(path, description)

    def count_message(self) -> None:
        """Counts a message of ours.

        Raises:
            EnoughError: there are too many.
        """
        self._messages_left -= 1
        if self._messages_left < 0:
            self._end(f"has more than {MESSAGES_MAX} parts")

    def count_values(self, count: int, path: str) -> None:
        """Counts JSON values of a field.

        Raises:
            EnoughError: there are too many.
        """
        self._values_left -= count
        if self._values_left < 0:
            self._end(f"has more than {VALUES_MAX} values", path)

    def _end(self, description: str, path: str = "") -> None:
        self.add_heavy(path, description)
        raise EnoughError


Check = Callable[[Any, str, int, Faults], None]
"""Looks at a message that stands at a path and a depth, and adds what it finds."""
Fault = Callable[[Any, str, Faults], None]
"""Looks at a value that stands at a path, and adds what is wrong with it."""


def faults_of(message: Message, is_read: Callable[[str], bool] | None = None) -> Faults:
    """What is wrong with the message and the messages inside it, as far as it is read.

    `is_read` says of a path whether what stands there is; None: all is.
    """
    found = Faults(is_read)
    try:
        _check(message, "", 0, found)
    except EnoughError:
        found.is_heavy = found.is_heavy or found.has_more
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


def _check(message: Any, path: str, depth: int, found: Faults) -> None:
    found.count_message()
    if depth > NESTING_MAX:
        found.add(path.rstrip("."), _TOO_DEEP)
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
            make = _required_present if field.has_presence else _required
            yield make(field.name, _is_required(field))
    texts = [field.name for field in _texts_of(message) if not field.is_repeated]
    if texts:
        yield _texts(texts)
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_STRING and field.is_repeated:
            yield _text_list(field)
        elif field.enum_type is not None:
            yield (_enum_list if field.is_repeated else _enum)(field)
        elif _is_ours(field):
            yield _inside_list(field) if field.is_repeated else _inside(field.name)
        elif field.message_type is not None and field.message_type.full_name in _WELL_KNOWN:
            assert not field.is_repeated, f"{field.full_name}: no check looks into such a list"
            is_scalar = field.GetOptions().Extensions[method_pb2.scalar]
            fault = _one_value if is_scalar else _WELL_KNOWN[field.message_type.full_name]
            yield _value(field.name, fault)


def _texts_of(message: Descriptor) -> Iterator[FieldDescriptor]:
    return (field for field in message.fields if field.type == FieldDescriptor.TYPE_STRING)


def _required(name: str, description: str) -> Check:
    def check(message: Any, path: str, _: int, found: Faults) -> None:
        if not getattr(message, name):
            found.add(path + name, description)

    return check


def _required_present(name: str, description: str) -> Check:
    def check(message: Any, path: str, _: int, found: Faults) -> None:
        if not message.HasField(name):
            found.add(path + name, description)

    return check


def _texts(names: Sequence[str]) -> Check:
    """All texts at once: joining them costs less than looking at each."""
    values = attrgetter(*names)

    def check(message: Any, path: str, _: int, found: Faults) -> None:
        if _NUL in "".join(values(message)):
            for name in names:
                if _NUL in getattr(message, name):
                    found.add(path + name, _HOLDS_NUL)

    return check


def _text_list(field: FieldDescriptor) -> Check:
    name, items_max = field.name, items_max_of(field)

    def check(message: Any, path: str, _: int, found: Faults) -> None:
        texts = getattr(message, name)
        if not _is_too_long(texts, path + name, items_max, found):
            for index, text in enumerate(texts):
                if _NUL in text:
                    found.add(f"{path}{name}[{index}]", _HOLDS_NUL)

    return check


def _enum(field: FieldDescriptor) -> Check:
    name, numbers = field.name, _numbers_of(field)
    allowed = _allowed(field)

    def check(message: Any, path: str, _: int, found: Faults) -> None:
        number = getattr(message, name)
        if number not in numbers:
            found.add(path + name, f"is {number}; it is one of {allowed}")

    return check


def _enum_list(field: FieldDescriptor) -> Check:
    name, numbers, items_max = field.name, _numbers_of(field), items_max_of(field)
    allowed = _allowed(field)

    def check(message: Any, path: str, _: int, found: Faults) -> None:
        values = getattr(message, name)
        if not _is_too_long(values, path + name, items_max, found):
            for index, number in enumerate(values):
                if number not in numbers:
                    found.add(f"{path}{name}[{index}]", f"is {number}; it is one of {allowed}")

    return check


def _inside(name: str) -> Check:
    def check(message: Any, path: str, depth: int, found: Faults) -> None:
        if message.HasField(name):
            _check(getattr(message, name), f"{path}{name}.", depth + 1, found)

    return check


def _inside_list(field: FieldDescriptor) -> Check:
    name, items_max = field.name, items_max_of(field)

    def check(message: Any, path: str, depth: int, found: Faults) -> None:
        items = getattr(message, name)
        if not _is_too_long(items, path + name, items_max, found):
            for index, each in enumerate(items):
                _check(each, f"{path}{name}[{index}].", depth + 1, found)

    return check


def _is_too_long(items: Sequence[Any], path: str, items_max: int, found: Faults) -> bool:
    if len(items) <= items_max:
        return False
    found.add_heavy(path, f"has {len(items)} items; it must have at most {items_max}")
    return True


def _value(name: str, fault: Fault) -> Check:
    def check(message: Any, path: str, _: int, found: Faults) -> None:
        if message.HasField(name):
            fault(getattr(message, name), path + name, found)

    return check


def _timestamp(value: Timestamp, path: str, found: Faults) -> None:
    in_range = _TIMESTAMP_MIN <= (value.seconds, value.nanos) < _TIMESTAMP_END
    if not in_range or not 0 <= value.nanos <= _NANOS_MAX:
        found.add(
            path,
            _NO_INSTANT,
        )


def _duration(value: Duration, path: str, found: Faults) -> None:
    in_range = abs(value.seconds) <= _DURATION_SECONDS_MAX and abs(value.nanos) <= _NANOS_MAX
    # Both parts point the same way.
    if not in_range or value.seconds * value.nanos < 0:
        found.add(path, "must be at most 10,000 years, with seconds and nanoseconds of one sign")


def _json(value: Any, path: str, found: Faults) -> None:
    """No text and no key anywhere in JSON of any shape holds NUL, and there are not too many."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        match current.DESCRIPTOR.name:
            case "Struct":
                found.count_values(len(current.fields), path)
                holds_nul = any(_NUL in key for key in current.fields)
                waiting += current.fields.values()
            case "ListValue":
                found.count_values(len(current.values), path)
                holds_nul = False
                waiting += current.values
            case _:
                holds_nul = _NUL in current.string_value
                inside = current.WhichOneof("kind")
                if inside in _WITH_VALUES:
                    waiting.append(getattr(current, inside))
        if holds_nul:
            found.add(path, _HOLDS_NUL)
            return


def _one_value(value: Any, path: str, found: Faults) -> None:
    """A text, a number, true or false. What else it is, is not looked into."""
    if value.WhichOneof("kind") in _WITH_VALUES:
        found.add_heavy(path, "must be a text or a number, and is a list or an object")
    else:
        _json(value, path, found)


def _body(value: Any, path: str, found: Faults) -> None:
    if value.extensions:
        found.add_heavy(f"{path}.extensions", "must be left out")


_WITH_VALUES = frozenset({"struct_value", "list_value"})
_WELL_KNOWN: dict[str, Fault] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Value": _json,
    "google.protobuf.ListValue": _json,
    "google.protobuf.Struct": _json,
    "google.api.HttpBody": _body,
}


def items_max_of(field: FieldDescriptor) -> int:
    """The most items of a list. The contract states it, or nothing bounds what they cost."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    assert rules.repeated.max_items, f"{field.full_name} has no repeated.max_items"
    return rules.repeated.max_items


def _numbers_of(field: FieldDescriptor) -> frozenset[int]:
    assert field.enum_type is not None
    return frozenset(field.enum_type.values_by_number)


def _allowed(field: FieldDescriptor) -> str:
    """What an enum can be, but for what stands for nothing."""
    assert field.enum_type is not None
    return ", ".join(each.name for each in field.enum_type.values if each.number)


def _is_required(field: FieldDescriptor) -> str:
    return _REQUIRED if field.enum_type is None else f"{_REQUIRED}: one of {_allowed(field)}"


def _type_of(field: FieldDescriptor) -> Descriptor:
    inside = field.message_type
    assert inside is not None
    assert not inside.GetOptions().map_entry, f"{field.full_name}: no check looks into a map"
    return inside


def _is_ours(field: FieldDescriptor) -> bool:
    inside = field.message_type
    return inside is not None and inside.file.package.startswith("guerdon.")
