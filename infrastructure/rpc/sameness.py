"""Whether two requests ask for the same."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2


def digest_of(request: Message, *, leaving_out: Collection[str]) -> bytes:
    """Equal for requests that ask for the same, but for the fields left out.

    Ids are UUIDs, and a UUID in capitals is the same one.
    """
    copy = type(request)()
    copy.CopyFrom(request)
    for name in leaving_out:
        copy.ClearField(name)
    _spell_ids_alike(copy)
    return hashlib.sha256(copy.SerializeToString(deterministic=True)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ids:
    """Names of fields: with an id, with a list of ids, with a message, with a list of messages."""

    single: tuple[str, ...]
    lists: tuple[str, ...]
    inside: tuple[str, ...]
    inside_lists: tuple[str, ...]


def _spell_ids_alike(message: Any) -> None:
    ids = _ids_of(message.DESCRIPTOR)
    for name in ids.single:
        text = getattr(message, name)
        if text:
            setattr(message, name, text.lower())
    for name in ids.lists:
        texts = getattr(message, name)
        texts[:] = [text.lower() for text in texts]
    for name in ids.inside:
        if message.HasField(name):
            _spell_ids_alike(getattr(message, name))
    for name in ids.inside_lists:
        for each in getattr(message, name):
            _spell_ids_alike(each)


@cache
def _ids_of(descriptor: Descriptor) -> _Ids:
    ids = [field for field in descriptor.fields if _is_id(field)]
    ours = [field for field in descriptor.fields if _is_ours(field)]
    return _Ids(
        single=tuple(field.name for field in ids if not field.is_repeated),
        lists=tuple(field.name for field in ids if field.is_repeated),
        inside=tuple(field.name for field in ours if not field.is_repeated),
        inside_lists=tuple(field.name for field in ours if field.is_repeated),
    )


def _is_id(field: FieldDescriptor) -> bool:
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return (rules.repeated.items if field.is_repeated else rules).string.uuid


def _is_ours(field: FieldDescriptor) -> bool:
    inside = field.message_type
    return inside is not None and not inside.file.package.startswith("google.")
