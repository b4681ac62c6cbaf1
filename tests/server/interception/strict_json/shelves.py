"""A message with a field of every type that is read strictly."""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    descriptor_pool,
    duration_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

_SCALARS = {
    "int32": "whole",
    "sint64": "large",
    "fixed32": "count",
    "uint64": "largeCount",
    "bool": "open",
    "string": "label",
    "bytes": "picture",
}
_SPECIAL = {
    "Timestamp": "seenAt",
    "Duration": "lasts",
    "FieldMask": "mask",
    "Value": "anything",
    "Struct": "object",
    "ListValue": "list",
    "Int64Value": "wrappedWhole",
    "BoolValue": "wrappedTruth",
    "StringValue": "wrappedText",
}


def _make() -> Any:
    file = FileDescriptorProto(name="tests/shelf.proto", package="tests.shelves", syntax="proto3")
    modules = (duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    file.dependency.extend(module.DESCRIPTOR.name for module in modules)
    color = file.enum_type.add(name="Color")
    for number, name in enumerate(("COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_DARK_RED")):
        color.value.add(name=name, number=number)
    shelf = file.message_type.add(name="Shelf")

    def add(key: str, kind: str, type_name: str = "", *, many: bool = False) -> Any:
        return shelf.field.add(
            name="".join(f"_{each.lower()}" if each.isupper() else each for each in key),
            json_name=key,
            number=len(shelf.field) + 1,
            type=FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}"),
            type_name=type_name or None,
            label=3 if many else 1,
        )

    for kind, key in _SCALARS.items():
        add(key, kind)
    for name, key in _SPECIAL.items():
        add(key, "message", f".google.protobuf.{name}")
    add("color", "enum", ".tests.shelves.Color")
    add("colors", "enum", ".tests.shelves.Color", many=True)
    add("labels", "string", many=True)
    add("wholes", "int32", many=True)
    add("inner", "message", ".tests.shelves.Shelf")
    add("shelves", "message", ".tests.shelves.Shelf", many=True)
    shelf.oneof_decl.add(name="door")
    for key in ("glassDoor", "woodenDoor"):
        add(key, "string").oneof_index = 0
    add("noDoor", "message", ".tests.shelves.Shelf").oneof_index = 0
    shelf.oneof_decl.add(name="_note")
    note = add("note", "string")
    note.oneof_index, note.proto3_optional = 1, True
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("tests.shelves.Shelf"))


Shelf = _make()
