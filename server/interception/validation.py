"""Holds every request against the rules of its message."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import protovalidate
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from server.interception.chain import Call, Handler
from server.interception.refusals import VIOLATIONS_MAX, Refusal, Violation

NESTING_MAX = 32


class Validation:
    """Refuses a request that misses a REQUIRED field or breaks a rule of protovalidate."""

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        async def step(request: Message, call: Call) -> Message:
            violations = [
                Violation(path=path, description="is required") for path in missing(request)
            ] or self._broken(request)
            if violations:
                first = violations[0]
                raise Refusal(
                    code=grpc.StatusCode.INVALID_ARGUMENT,
                    reason="REQUEST_INVALID",
                    message=f"{first.path or 'The request'}: {first.description}.",
                    violations=violations[:VIOLATIONS_MAX],
                )
            return await proceed(request, call)

        return step

    def _broken(self, request: Message) -> list[Violation]:
        found = self._validator.collect_violations(request)
        return [
            Violation(path=_path(each.proto.field), description=each.proto.message.rstrip("."))
            for each in found
        ]


def missing(message: Message, *, depth: int = 0) -> Iterator[str]:
    """The paths of REQUIRED fields that are not set, in the message and in those inside it."""
    if depth > NESTING_MAX:
        return
    for field, is_required, holds_message in _plan(message.DESCRIPTOR):
        value = getattr(message, field.name)
        if is_required and not _is_set(message, field, value):
            yield field.name
        elif holds_message:
            if field.is_repeated:
                for index, each in enumerate(value):
                    for path in missing(each, depth=depth + 1):
                        yield f"{field.name}[{index}].{path}"
            elif message.HasField(field.name):
                for path in missing(value, depth=depth + 1):
                    yield f"{field.name}.{path}"


def _is_set(message: Message, field: FieldDescriptor, value: object) -> bool:
    if field.has_presence:
        return message.HasField(field.name)
    return bool(value)


_plans: dict[str, list[tuple[FieldDescriptor, bool, bool]]] = {}


def _plan(message: Descriptor) -> list[tuple[FieldDescriptor, bool, bool]]:
    """The fields of a message that have to be looked at: required ones, and our messages."""
    known = _plans.get(message.full_name)
    if known is None:
        known = [
            (field, required, inside)
            for field in message.fields
            for required in [is_required(field)]
            for inside in [_is_ours(field)]
            if required or inside
        ]
        _plans[message.full_name] = known
    return known


def is_required(field: FieldDescriptor) -> bool:
    """Whether the contract says that the field must be sent."""
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviours


def _is_ours(field: FieldDescriptor) -> bool:
    inside = field.message_type
    return (
        inside is not None
        and inside.file.package.startswith("guerdon.")
        and not inside.GetOptions().map_entry
    )


def _path(field: object) -> str:
    """A path of protovalidate as text: `campaign.rule.rewards[1].percentage`."""
    parts: list[str] = []
    if field is None:
        return ""
    for element in field.elements:  # type: ignore[attr-defined]  # protovalidate's own runtime
        subscript = element.subscript
        index = ""
        if subscript is not None and getattr(subscript, "field", None) == "index":
            index = f"[{subscript.value}]"
        parts.append(f"{element.field_name}{index}")
    return ".".join(parts)
