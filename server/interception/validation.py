"""Holds every request against the rules of its message."""

from __future__ import annotations

import grpc
import protovalidate
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from infrastructure.rpc.updating import UPDATE_MASK, is_changed, mask_problem, resource_of
from server.interception.chain import Call, Handler
from server.interception.message_faults import faults_of, prepare
from server.interception.refusals import Refusal, Violation

_UNREADABLE = Violation(
    path="", description="cannot be read; its texts are UTF-8, and its type is the method's own"
)


class Validation:
    """Refuses a request that is malformed, misses a REQUIRED field or breaks a protovalidate rule.

    The rules are asked only of a well-formed request, so that each field is named once.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        prepare(method.request_type)
        updates = resource_of(method.request_type) is not None

        async def step(request: Message, call: Call) -> Message:
            violations = faults_of(request) if call.is_readable else [_UNREADABLE]
            violations = violations or self._broken(request)
            if updates and call.is_readable:
                violations = self._of_what_changes(request)
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

    def _of_what_changes(self, request: Message) -> list[Violation]:
        """Fields of a resource that a call does not change may be left out."""
        problem = mask_problem(request)
        if problem is not None:
            return [Violation(path=UPDATE_MASK, description=problem)]
        found = (faults_of(request), self._broken(request))
        changed = ([each for each in some if is_changed(request, each.path)] for some in found)
        return next(filter(None, changed), [])

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
