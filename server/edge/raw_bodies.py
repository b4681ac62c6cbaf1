"""Envoy's copy of the contract, by which it hands on bodies and queries that it cannot read.

See `infrastructure.rpc.strict_routes` for why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf import any_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from infrastructure.rpc.contract import ContractError, paths_of
from infrastructure.rpc.strict_routes import RAW_BODY_NAME, RAW_BODY_NUMBER, is_strict

_HTTP_BODY = httpbody_pb2.DESCRIPTOR
_VARIABLE = re.compile(r"\{([^}=.]+)")


def with_raw_bodies(contract: FileDescriptorSet) -> FileDescriptorSet:
    """The contract with requests of strict routes that hold the path's variables and a raw body.

    Its files stand in the order in which they depend on each other.

    Raises:
        ContractError: a request of a strict route is used elsewhere too, or by two methods, or
            one of its routes is not strict.
    """
    copy = FileDescriptorSet()
    copy.CopyFrom(contract)
    there = {file.name for file in copy.file}
    for module in (any_pb2.DESCRIPTOR, _HTTP_BODY):
        if module.name not in there:
            module.CopyToProto(copy.file.add())
    uses = _uses_of_types(copy)
    for file in copy.file:
        requests = {f".{file.package}.{each.name}": each for each in file.message_type}
        for method in (each for service in file.service for each in service.method):
            rule = method.options.Extensions[annotations_pb2.http]
            if is_strict(rule):
                _check(method, rule, requests, uses)
                _make_raw(file, requests[method.input_type], rule)
    return _in_order(copy)


def _check(
    method: MethodDescriptorProto,
    rule: http_pb2.HttpRule,
    requests: Mapping[str, DescriptorProto],
    uses: Mapping[str, int],
) -> None:
    if method.input_type not in requests or uses[method.input_type] > 1:
        message = f"{method.name} is read strictly and needs a request of its own, in its own file"
        raise ContractError(message)
    if not all(is_strict(each) for each in rule.additional_bindings):
        message = f"{method.name} has routes that are read strictly and others that are not"
        raise ContractError(message)


def _make_raw(file: FileDescriptorProto, request: DescriptorProto, rule: http_pb2.HttpRule) -> None:
    """Leaves only what the path says in the request, and adds the body if the route takes one."""
    bindings = (rule, *rule.additional_bindings)
    variables = {name for path in paths_of(rule) for name in _VARIABLE.findall(path)}
    kept = [field for field in request.field if field.name in variables]
    taken = {field.name for field in request.field} | {field.number for field in request.field}
    if any(field.HasField("oneof_index") for field in kept) or taken & {
        RAW_BODY_NAME,
        RAW_BODY_NUMBER,
    }:
        message = f"{request.name} has a variable in a oneof, or a field like {RAW_BODY_NAME}"
        raise ContractError(message)
    del request.field[:], request.oneof_decl[:]
    request.field.extend(kept)
    if not any(binding.body for binding in bindings):
        return
    request.field.add(
        name=RAW_BODY_NAME,
        json_name="rawBody",
        number=RAW_BODY_NUMBER,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".google.api.HttpBody",
    )
    for binding in bindings:
        if binding.body:
            binding.body = RAW_BODY_NAME
    if _HTTP_BODY.name not in file.dependency:
        file.dependency.append(_HTTP_BODY.name)


def _uses_of_types(files: FileDescriptorSet) -> dict[str, int]:
    """How often each message is named, by methods and by fields."""
    uses: dict[str, int] = {}
    for file in files.file:
        for method in (each for service in file.service for each in service.method):
            for name in (method.input_type, method.output_type):
                uses[name] = uses.get(name, 0) + 1
        for message in file.message_type:
            for field in _fields_of(message):
                uses[field.type_name] = uses.get(field.type_name, 0) + 1
    return uses


def _fields_of(message: DescriptorProto) -> Iterator[FieldDescriptorProto]:
    yield from message.field
    for nested in message.nested_type:
        yield from _fields_of(nested)


def _in_order(files: FileDescriptorSet) -> FileDescriptorSet:
    """The files, each after those that it depends on. Envoy refuses any other order."""
    waiting = {file.name: file for file in files.file}
    ordered = FileDescriptorSet()

    def add(name: str) -> None:
        file = waiting.pop(name, None)
        if file is not None:
            for needed in file.dependency:
                add(needed)
            ordered.file.append(file)

    for file in files.file:
        add(file.name)
    return ordered
