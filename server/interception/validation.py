"""Holds every request against the rules of its message."""

from __future__ import annotations

import grpc
import protovalidate
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from server.interception.chain import Call, Handler
from server.interception.message_faults import faults_of, prepare
from server.interception.refusals import Refusal, Violation


class Validation:
    """Refuses a request that is malformed, misses a REQUIRED field or breaks a protovalidate rule.

    The rules are asked only of a well-formed request, so that each field is named once.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        prepare(method.request_type)

        async def step(request: Message, call: Call) -> Message:
            violations = faults_of(request) or self._broken(request)
            if violations:
                first = violations[0]
                raise Refusal(
                    code=grpc.StatusCode.INVALID_ARGUMENT,
                    reason="REQUEST_INVALID",
                    message=f"{first.path or 'The request'} {first.description}.",
                    violations=violations,
                )
            return await proceed(request, call)

        return step

    def _broken(self, request: Message) -> list[Violation]:
        found = self._validator.collect_violations(request)
        return [
            Violation(path=_path(each.proto.field), description=each.proto.message.rstrip("."))
            for each in found
        ]


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
