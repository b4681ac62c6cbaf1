"""Holds every request against the rules of its message."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import protovalidate
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from server.interception.chain import Call, Handler
from server.interception.message_faults import faults_of, prepare
from server.interception.refusals import VIOLATIONS_MAX, Refusal, Violation

_UNREADABLE = Violation(
    path="", description="cannot be read; its texts are UTF-8, and its type is the method's own"
)


def request_invalid(violations: Sequence[Violation]) -> Refusal:
    """The refusal of a request with these violations; its message tells the first."""
    first = violations[0]
    told = f"{first.path or 'The request'} {first.description}"
    more = " And more is wrong." if len(violations) > VIOLATIONS_MAX else ""
    return Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        message=told + ("" if told.endswith("?") else ".") + more,
        violations=violations,
    )


class Validation:
    """Refuses a request that is malformed, misses a REQUIRED field or breaks a protovalidate rule.

    The rules are asked only of a well-formed request, so that each field is named once.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        prepare(method.request_type)

        async def step(request: Message, call: Call) -> Message:
            violations = faults_of(request) if call.is_readable else [_UNREADABLE]
            misread, kind = call.misread, method.request_type
            if misread is not None:
                violations = [*misread.unexplained(violations, kind)]
                violations = violations or [*misread.unexplained(self._broken(request), kind)]
                raise request_invalid([*misread.violations, *violations])
            violations = violations or self._broken(request)
            if violations:
                raise request_invalid(violations)
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
