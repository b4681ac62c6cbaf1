"""Holds every request against the rules of its message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
import protovalidate
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from infrastructure.rpc.updating import UPDATE_MASK, mask_problem, reader_of, resource_of
from server.interception.chain import BeforeCall, Call, Handler, Result
from server.interception.message_faults import EnoughError, Faults, faults_of, prepare
from server.interception.refusals import VIOLATIONS_MAX, Refusal, Violation, sentences_of

# What a reader of one rule's words would stumble over.
_IN_OUR_WORDS = {
    "string.uuid": "must be a UUID, like 0198c0de-0000-7000-8000-000000000001",
    "repeated.unique": "must not have the same item twice",
    "string.uuid_empty": "must be a UUID, like 0198c0de-0000-7000-8000-000000000001",
}
_ONLY_ONE = "only one of"


def request_invalid(violations: Sequence[Violation], *, has_more: bool = False) -> Refusal:
    """The refusal of a request with these violations, and more if it `has_more`."""
    told = violations[:VIOLATIONS_MAX]
    has_more = has_more or len(violations) > VIOLATIONS_MAX
    return Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        message=sentences_of(told, has_more=has_more),
        violations=told,
    )


class Validation(BeforeCall):
    """Refuses a request that is malformed, misses a REQUIRED field or breaks a protovalidate rule.

    All that is wrong is named at once, each field once: a rule says nothing of a field that is
    missing or malformed.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        prepare(method.request_type)
        changes_resource = resource_of(method.request_type) is not None

        async def step(request: Message, call: Call) -> Result:
            found = faults_of(request, reader_of(request) if changes_resource else None)
            problem = mask_problem(request) if changes_resource else None
            if problem is not None and not found.is_heavy and not found.has_more:
                with suppress(EnoughError):
                    found.add(UPDATE_MASK, problem)
            if not found.is_heavy:
                self._add_broken_rules(method, request, found)
            violations: Sequence[Violation] = found.violations
            if call.misread is not None:
                unexplained = call.misread.unexplained(violations, method.request_type)
                violations = [*call.misread.violations, *unexplained]
            if violations:
                raise request_invalid(violations, has_more=found.has_more)
            return await proceed(request, call)

        return step

    def _add_broken_rules(self, method: Method, request: Message, found: Faults) -> None:
        try:
            broken = self._validator.collect_violations(request)
        except protovalidate.EvaluationError:
            # A rule cannot be worked out on what is malformed; that is told.
            if found.violations:
                return
            raise
        if not broken:
            return
        blamed = {each.path for each in found.violations}
        try:
            for violation in _violations(broken, method.request_type, blamed):
                if violation.path not in blamed:
                    found.add(violation.path, violation.description)
        except EnoughError:
            return


def _violations(broken: Any, message: Descriptor, malformed: set[str]) -> Iterator[Violation]:
    for each in broken:
        said = each.proto
        path, oneof = _path(said.field, message)
        # A rule about several fields is named after the one to blame.
        # It names the others too, and says nothing if one of them is malformed.
        blamed = said.rule_id.partition(".")[0]
        if not path and blamed in message.fields_by_name:
            path = blamed
            if any(name in said.rule_id for name in malformed):
                continue
        description = _IN_OUR_WORDS.get(said.rule_id, said.message.rstrip("."))
        if oneof:
            description = f"needs exactly one of {oneof}"
        elif said.rule_id == "message.oneof":
            # "one of a, b must be set", "only one of a, b can be set"
            names = description.partition(" of ")[2].rpartition(" must ")[0]
            if description.startswith(_ONLY_ONE):
                names = description.partition(" of ")[2].rpartition(" can ")[0]
                description = f"must not have more than one of {names}"
            else:
                description = f"needs exactly one of {names}"
        yield Violation(path=path, description=description)


def _path(field: Any, message: Descriptor) -> tuple[str, str]:
    """A path of protovalidate as text, like `campaign.rule.rewards[1].percentage`.

    A oneof is no key that anybody could send: of it, the path of its message and the names of its
    members.
    """
    parts: list[str] = []
    current: Descriptor | None = message
    for element in field.elements if field is not None else ():
        name = element.field_name
        if current is not None and name in current.oneofs_by_name:
            members = current.oneofs_by_name[name].fields
            return ".".join(parts), ", ".join(each.name for each in members)
        known = current.fields_by_name.get(name) if current is not None else None
        current = known.message_type if known is not None else None
        subscript = element.subscript
        index = ""
        if subscript is not None and getattr(subscript, "field", None) == "index":
            index = f"[{subscript.value}]"
        parts.append(f"{name}{index}")
    return ".".join(parts), ""
