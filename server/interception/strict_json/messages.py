"""JSON values to messages of the contract, with the path of everything that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from google.protobuf import wrappers_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from infrastructure.rpc.contract import ContractError
from infrastructure.rpc.updating import UPDATE_MASK
from server.interception.strict_json import values
from server.interception.strict_json.key_hints import KeyHints
from server.interception.strict_json.parsing import (
    NESTING_MAX,
    TOO_DEEP,
    Constant,
    NotJsonError,
    Number,
    Pairs,
    is_encodable,
    kind_of,
    parse,
)
from server.interception.strict_json.update_masks import MaskReader, mask_reader_of

_SHOWN_CHARACTERS_MAX = 60
_KEYS_SHOWN_MAX = 15
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$-]+")
_TWICE = "is there twice; say it once"

_SPECIAL: Mapping[str, values.Scalar] = {
    "google.protobuf.Timestamp": values.read_timestamp,
    "google.protobuf.Duration": values.read_duration,
    "google.protobuf.FieldMask": values.read_field_mask,
}
_WRAPPERS = frozenset(
    each.full_name for each in wrappers_pb2.DESCRIPTOR.message_types_by_name.values()
)
_VALUE, _STRUCT, _LIST = (f"google.protobuf.{name}" for name in ("Value", "Struct", "ListValue"))

FAULTS_MAX = 10
"""How many faults are told."""

ReadField = Callable[[Any, Any, str, int, "Reading"], None]
"""Reads a value into a field of a message, at a path and a depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong at a path, in the keys of JSON; an empty one is the whole body's."""

    path: str
    description: str


class EndOfReadingError(Exception):
    """Enough is wrong; nothing more is read."""


class Reading:
    """What is found wrong while a message is read.

    `misread` are the paths of fields about which nothing is known, since their values, or
    their keys, were wrong. `is_whole` says that everything was looked at.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.misread: list[str] = []
        self.is_whole = True

    def blame(self, path: str, description: str, *, misread: Sequence[str] | None = None) -> None:
        """Notes a fault, and ends the reading once there is one more than is told.

        `misread` is the path itself, unless others are given.
        """
        self.faults.append(Fault(path=path, description=description))
        self.misread += [path] if misread is None else misread
        if len(self.faults) > FAULTS_MAX:
            self.is_whole = False
            raise EndOfReadingError

    def end(self, description: str) -> None:
        """Notes what is wrong with a request of which nothing can be read."""
        self.faults.append(Fault(path="", description=description))
        self.is_whole = False

    def enter(self, path: str, depth: int) -> bool:
        """Whether an object or a list at this depth is read; if not, it is blamed."""
        if depth > NESTING_MAX:
            self.blame(path, TOO_DEEP)
        return depth <= NESTING_MAX


def read_body(data: bytes, message: Message) -> Reading:
    """Reads JSON into an empty message; with faults, as far as it can be read."""
    reading = Reading()
    try:
        pairs = parse(data)
    except NotJsonError as problem:
        reading.end(str(problem))
        return reading
    read_object(pairs, message, reading)
    return reading


def read_object(pairs: Pairs, message: Any, reading: Reading) -> None:
    """Reads an object into an empty message, as far as it can be read."""
    with suppress(EndOfReadingError):
        reader_of(message.DESCRIPTOR).read(pairs, message, "", 1, reading)


class MessageReader:
    """Reads objects into messages of one type."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.fields: dict[str, ReadField] = {}
        self._names: dict[str, str] = {}
        self._oneofs: dict[str, str] = {}
        self._mask = mask_reader_of(descriptor)
        self._hints = KeyHints({each.json_name: [each.name] for each in descriptor.fields})
        for field in descriptor.fields:
            self._names[field.json_name] = field.name
            if self._mask is not None and field.name == UPDATE_MASK:
                self.fields[field.json_name] = _mask(self._mask)
            else:
                self.fields[field.json_name] = _field_reader(field)
            oneof = field.containing_oneof
            if oneof is not None and len(oneof.fields) > 1:
                self._oneofs[field.json_name] = oneof.name
        self._json_names = {name: json_name for json_name, name in self._names.items()}

    def read(self, pairs: Pairs, message: Any, path: str, depth: int, reading: Reading) -> None:
        """Reads every key of an object that stands at a path and a depth."""
        if not reading.enter(path, depth):
            return
        said: set[str] = set()
        for key, value in pairs:
            read = self.fields.get(key)
            if read is None:
                self._blame_unknown(key, path, reading)
                continue
            place = f"{path}.{key}" if path else key
            if key in said:
                reading.blame(place, _TWICE)
                continue
            said.add(key)
            if key in self._oneofs and value is not None:
                chosen = message.WhichOneof(self._oneofs[key])
                if chosen is not None:
                    other = self._json_names[chosen]
                    reading.blame(place, f"stands beside {other}; only one of them may be there")
                    continue
            read(value, message, place, depth, reading)
        if self._mask is not None and not message.update_mask.paths:
            message.update_mask.paths.extend(self._mask.of_what_is_there(pairs))

    def _blame_unknown(self, key: str, path: str, reading: Reading) -> None:
        place = path + shown_key(key, is_first=not path)
        nearest = self._hints.nearest(key)
        if nearest:
            meant = [f"{path}.{key}" if path else key for key in nearest]
            options = " or ".join(filter(None, [", ".join(nearest[:-1]), nearest[-1]]))
            reading.blame(place, f"is not known; did you mean {options}?", misread=meant)
        else:
            known = ", ".join([*self.fields][:_KEYS_SHOWN_MAX])
            told = f"is not known; known are {known}" if known else "is not known"
            reading.blame(place, told, misread=())


def shown_key(key: str, *, is_first: bool) -> str:
    """A key that a caller made up, as a part of a path."""
    cut = key if len(key) <= _SHOWN_CHARACTERS_MAX else key[:_SHOWN_CHARACTERS_MAX] + "..."
    if _PLAIN_KEY.fullmatch(key) is not None:
        return cut if is_first else f".{cut}"
    return f"[{json.dumps(cut)}]"


_known: dict[Descriptor, MessageReader] = {}


def reader_of(descriptor: Descriptor) -> MessageReader:
    """The reader of a type, made once.

    Raises:
        ContractError: the type has what is not read strictly.
    """
    reader = _known.get(descriptor)
    if reader is None:
        reader = _known[descriptor] = MessageReader(descriptor)
    return reader


def prepare(descriptor: Descriptor) -> None:
    """Makes the readers of a type, and of those inside it, ahead of the first call.

    Raises:
        ContractError: a type has what is not read strictly.
    """
    waiting, seen = [descriptor], {descriptor}
    while waiting:
        reader_of(waiting[-1])
        inside = {
            field.message_type
            for field in waiting.pop().fields
            if field.message_type is not None and _is_read_by_keys(field.message_type)
        }
        waiting += inside - seen
        seen |= inside


def _is_read_by_keys(message: Descriptor) -> bool:
    return not message.full_name.startswith("google.protobuf.")


def _field_reader(field: FieldDescriptor) -> ReadField:
    inside = field.message_type
    if inside is None:
        read = values.scalar_of(field)
        return _list_of(field.name, read) if field.is_repeated else _one(field.name, read)
    if inside.GetOptions().map_entry or inside.full_name == "google.protobuf.Any":
        message = f"{field.full_name} is read strictly, and so can be neither a map nor an Any"
        raise ContractError(message)
    into = _reader_into(inside)
    name = field.name
    if field.is_repeated:
        return _list_of_messages(name, into)

    def read_message(value: Any, message: Any, path: str, depth: int, reading: Reading) -> None:
        if value is not None or inside.full_name == _VALUE:
            target = getattr(message, name)
            target.SetInParent()
            into(value, target, path, depth, reading)

    return read_message


def _mask(mask: MaskReader) -> ReadField:
    def read_mask(value: Any, message: Any, path: str, _: int, reading: Reading) -> None:
        try:
            message.update_mask.paths.extend(() if value is None else mask.read(value))
        except values.MisreadError as problem:
            reading.blame(path, str(problem))

    return read_mask


def _reader_into(inside: Descriptor) -> ReadField:
    """Reads a value into a message that is there already."""
    if inside.full_name in {_VALUE, _STRUCT, _LIST}:
        return _JSON_READERS[inside.full_name]
    special = _SPECIAL.get(inside.full_name)
    if inside.full_name in _WRAPPERS:
        return _one("value", values.scalar_of(inside.fields_by_name["value"]))

    def read_special(value: Any, target: Any, path: str, _: int, reading: Reading) -> None:
        assert special is not None
        try:
            target.CopyFrom(special(value))
        except values.MisreadError as problem:
            reading.blame(path, str(problem))

    def read_by_keys(value: Any, target: Any, path: str, depth: int, reading: Reading) -> None:
        if not isinstance(value, Pairs):
            reading.blame(path, f"must be an object, and is {kind_of(value)}")
            return
        reader_of(inside).read(value, target, path, depth + 1, reading)

    return read_by_keys if special is None else read_special


def _one(name: str, read: values.Scalar) -> ReadField:
    def read_one(value: Any, message: Any, path: str, _: int, reading: Reading) -> None:
        if value is not None:
            try:
                setattr(message, name, read(value))
            except values.MisreadError as problem:
                reading.blame(path, str(problem))

    return read_one


def _list_of(name: str, read: values.Scalar) -> ReadField:
    def read_list(value: Any, message: Any, path: str, depth: int, reading: Reading) -> None:
        if not _is_list(value, path, depth, reading):
            return
        found = []
        for index, each in enumerate(value):
            try:
                found.append(read(each))
            except values.MisreadError as problem:
                # Of those behind it nobody knows their places.
                reading.blame(f"{path}[{index}]", str(problem), misread=[path])
        getattr(message, name).extend(found)

    return read_list


def _list_of_messages(name: str, into: ReadField) -> ReadField:
    def read_list(value: Any, message: Any, path: str, depth: int, reading: Reading) -> None:
        if _is_list(value, path, depth, reading):
            target = getattr(message, name)
            for index, each in enumerate(value):
                # Also for one that cannot be read: those behind it keep their places.
                into(each, target.add(), f"{path}[{index}]", depth + 1, reading)

    return read_list


def _is_list(value: Any, path: str, depth: int, reading: Reading) -> bool:
    if value is None:
        return False
    if isinstance(value, Pairs) or not isinstance(value, list):
        reading.blame(path, f"must be a list, and is {kind_of(value)}")
        return False
    return reading.enter(path, depth + 1)


def _read_value(value: Any, target: Any, path: str, depth: int, reading: Reading) -> None:
    """JSON of any shape."""
    match value:
        case None:
            target.null_value = 0
        case bool():
            target.bool_value = value
        case Pairs():
            _read_struct(value, target.struct_value, path, depth, reading)
        case list():
            _read_list(value, target.list_value, path, depth, reading)
        case Constant():
            reading.blame(path, f"is {kind_of(value)}")
        case _:
            try:
                if isinstance(value, Number):
                    target.number_value = values.read_double(value)
                else:
                    target.string_value = values.read_text(value)
            except values.MisreadError as problem:
                reading.blame(path, str(problem))


def _read_struct(value: Any, target: Any, path: str, depth: int, reading: Reading) -> None:
    if not isinstance(value, Pairs):
        reading.blame(path, f"must be an object, and is {kind_of(value)}")
        return
    target.SetInParent()
    if not reading.enter(path, depth + 1):
        return
    for key, each in value:
        place = path + shown_key(key, is_first=False)
        if not is_encodable(key):
            reading.blame(place, values.SURROGATE)
        elif key in target.fields:
            reading.blame(place, _TWICE)
        else:
            _read_value(each, target.fields[key], place, depth + 1, reading)


def _read_list(value: Any, target: Any, path: str, depth: int, reading: Reading) -> None:
    if _is_list(value, path, depth, reading):
        target.SetInParent()
        for index, each in enumerate(value):
            _read_value(each, target.values.add(), f"{path}[{index}]", depth + 1, reading)


_JSON_READERS: Mapping[str, ReadField] = {
    _VALUE: _read_value,
    _STRUCT: _read_struct,
    _LIST: _read_list,
}
