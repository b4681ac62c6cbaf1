"""Update masks (AIP-134): which fields of a resource a call changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

UPDATE_MASK = "update_mask"
EVERYTHING = "*"
_BEHAVIOR = field_behavior_pb2.field_behavior


def resource_of(request: Descriptor) -> FieldDescriptor | None:
    """The field that holds the resource; None if the method changes none by a mask."""
    if UPDATE_MASK not in request.fields_by_name:
        return None
    (found,) = [
        field
        for field in request.fields
        if field.message_type is not None
        and field.message_type.file.package == request.file.package
        and field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[_BEHAVIOR]
    ]
    return found


@lru_cache
def writable_fields(resource: Descriptor) -> tuple[str, ...]:
    """The names of the fields that a call may change, in the order of the contract."""
    return tuple(
        field.name
        for field in resource.fields
        if field_behavior_pb2.OUTPUT_ONLY not in field.GetOptions().Extensions[_BEHAVIOR]
    )


def updated_fields(request: Message) -> frozenset[str]:
    """The names of the resource's fields that the request changes.

    Without a mask all that are sent; a field that is sent with its default counts as sent only if
    the contract tells the two apart.
    """
    field = resource_of(request.DESCRIPTOR)  # type: ignore[arg-type]  # two names of one class
    assert field is not None, request.DESCRIPTOR.full_name
    assert field.message_type is not None
    writable = frozenset(writable_fields(field.message_type))
    paths = getattr(request, UPDATE_MASK).paths
    if EVERYTHING in paths:
        return writable
    if paths:
        return frozenset(paths) & writable
    return writable & {each.name for each, _ in getattr(request, field.name).ListFields()}


def reader_of(request: Message) -> Callable[[str], bool]:
    """Says of a path whether a method reads what stands there: of its resource what it changes."""
    field = resource_of(request.DESCRIPTOR)  # type: ignore[arg-type]  # two names of one class
    assert field is not None, request.DESCRIPTOR.full_name
    begin, changed = f"{field.name}.", updated_fields(request)

    def is_read(path: str) -> bool:
        if not path.startswith(begin):
            return True
        return path.split(".")[1].partition("[")[0] in changed

    return is_read


def mask_problem(request: Any) -> str | None:
    """What is wrong with the mask of a request; None if nothing is."""
    field = resource_of(request.DESCRIPTOR)
    if field is None:
        return None
    assert field.message_type is not None
    known = (*writable_fields(field.message_type), EVERYTHING)
    for path in request.update_mask.paths:
        if path not in known:
            return f"names {path[:100]}, and may name {', '.join(known)}"
    return None
