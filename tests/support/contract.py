"""The contract as the tests read it: methods, messages, fields, and what is written beside them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grpc
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from infrastructure.rpc.contract import Method, methods_of

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTOR_SET = ROOT / "envoy" / "descriptors.binpb"
OPTIONS_PACKAGE = "guerdon.options.v1"


@cache
def our_files() -> tuple[FileDescriptorProto, ...]:
    """The proto files of the product, with their comments."""
    every = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes())
    return tuple(file for file in every.file if file.package.startswith("guerdon."))


@cache
def comments() -> Mapping[str, str]:
    """What stands before each declaration, by its full name."""
    return {name: text for file in our_files() for name, text in _comments(file)}


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = _names(file)
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        if name is not None:
            yield name, location.leading_comments


def _names(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Full names by path; the numbers are those of the fields of FileDescriptorProto."""
    names: dict[tuple[int, ...], str] = {}
    for index, message in enumerate(file.message_type):
        names |= _message_names(message, (4, index), file.package)
    for index, enum in enumerate(file.enum_type):
        names |= _enum_names(enum, (5, index), file.package)
    for index, service in enumerate(file.service):
        names[6, index] = f"{file.package}.{service.name}"
        for position, method in enumerate(service.method):
            names[6, index, 2, position] = f"{file.package}.{service.name}.{method.name}"
    return names


def _message_names(
    message: DescriptorProto, path: tuple[int, ...], scope: str
) -> dict[tuple[int, ...], str]:
    name = f"{scope}.{message.name}"
    names = {path: name}
    for index, field in enumerate(message.field):
        names[*path, 2, index] = f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        names |= _message_names(nested, (*path, 3, index), name)
    for index, enum in enumerate(message.enum_type):
        names |= _enum_names(enum, (*path, 4, index), name)
    return names


def _enum_names(
    enum: EnumDescriptorProto, path: tuple[int, ...], scope: str
) -> dict[tuple[int, ...], str]:
    name = f"{scope}.{enum.name}"
    values = {(*path, 2, index): f"{name}.{value.name}" for index, value in enumerate(enum.value)}
    return {path: name, **values}


@cache
def declared() -> tuple[str, ...]:
    """The full name of everything that must be explained."""
    return tuple(sorted(name for file in our_files() for name in _names(file).values()))


@cache
def _live_files() -> tuple[FileDescriptor, ...]:
    for file in our_files():
        importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    pool = descriptor_pool.Default()
    return tuple(pool.FindFileByName(file.name) for file in our_files())


SERVICES: Sequence[ServiceDescriptor] = [
    service for file in _live_files() for service in file.services_by_name.values()
]
"""Every service of the contract."""

METHODS: Mapping[str, Method] = methods_of(SERVICES)
"""Every method of the contract, by its gRPC path."""


@cache
def messages() -> tuple[Descriptor, ...]:
    """Every message of the product, nested ones included, but for the method options."""

    def inside(message: Descriptor) -> Iterator[Descriptor]:
        yield message
        for nested in message.nested_types:
            yield from inside(nested)

    return tuple(
        message
        for file in _live_files()
        if file.package != OPTIONS_PACKAGE
        for top in file.message_types_by_name.values()
        for message in inside(top)
    )


@cache
def fields() -> tuple[FieldDescriptor, ...]:
    """Every field of every message of the product."""
    return tuple(field for message in messages() for field in message.fields)


def behaviours(field: FieldDescriptor) -> frozenset[int]:
    """The field's `google.api.field_behavior`."""
    return frozenset(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def is_required(field: FieldDescriptor) -> bool:
    """Whether a caller must set the field."""
    return field_behavior_pb2.REQUIRED in behaviours(field)


def is_output(field: FieldDescriptor) -> bool:
    """Whether the field is answered and never read from a request."""
    return field_behavior_pb2.OUTPUT_ONLY in behaviours(field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A published reason: its gRPC code and the keys of its metadata, as its comment says."""

    name: str
    code: grpc.StatusCode
    metadata: frozenset[str]
    is_from_envoy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonEnum:
    """The reasons of one error domain, and the services that send them."""

    domain: str
    services: frozenset[str]
    reasons: Mapping[str, Reason]


@cache
def reason_enums() -> Mapping[str, ReasonEnum]:
    """Every enum of reasons by its error domain, without the product's name."""
    found = {}
    for file in _live_files():
        for enum in file.enum_types_by_name.values():
            if enum.name.endswith("ErrorReason"):
                each = _reason_enum(enum)
                assert each.domain not in found, f"{enum.full_name}: the domain is taken"
                found[each.domain] = each
    return found


def _reason_enum(enum: EnumDescriptor) -> ReasonEnum:
    text = " ".join(comments()[enum.full_name].split())
    domain = re.search(r"under the error domain `(\w+)\.guerdon`", text)
    assert domain is not None, f"{enum.full_name} does not name its error domain"
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    reasons = {}
    for value in enum.values:
        if value.number:
            name = value.name.removeprefix(prefix)
            reasons[name] = _reason(name, comments()[f"{enum.full_name}.{value.name}"])
    return ReasonEnum(
        domain=domain[1],
        services=frozenset(re.findall(r"\b(\w+Service)\b", text)),
        reasons=reasons,
    )


def _reason(name: str, comment: str) -> Reason:
    text = " ".join(comment.split())
    shape = re.fullmatch(
        r"(?P<envoy>From Envoy\. )?(?P<code>[A-Z_]+)(, [^.]+)?\. (.* )?Metadata: (?P<keys>[^.]+)\.",
        text,
    )
    assert shape is not None, f"{name}: `CODE. When. Metadata: none.` is not the shape of {text!r}"
    keys = shape["keys"]
    return Reason(
        name=name,
        code=grpc.StatusCode[shape["code"]],
        metadata=frozenset() if keys == "none" else frozenset(re.findall(r"`(\w+)`", keys)),
        is_from_envoy=shape["envoy"] is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedRefusal:
    """A line of a method's `Errors:`."""

    code: grpc.StatusCode
    reason: str


def promised_refusals(method: Method) -> list[PromisedRefusal]:
    """What the method's comment says it refuses with."""
    text = comments()[method.descriptor.full_name]
    _, _, listed = text.partition("Errors:")
    return [
        PromisedRefusal(code=grpc.StatusCode[code], reason=reason)
        for code, reason in re.findall(r"^\s*- ([A-Z_]+), ([A-Z_]+):", listed, re.MULTILINE)
    ]


def method_ids(method: Method) -> str:
    """A method's name, for the names of tests."""
    return method.path.rpartition("/")[2]
