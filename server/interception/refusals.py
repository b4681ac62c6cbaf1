"""Turns what was raised into what the caller is told.

A refusal keeps its words. Anything else is told in fixed words with an incident's id, and the
log has the rest: an exception's text may hold secrets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import grpc
import structlog
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from infrastructure.database.failures import is_away, is_timeout
from infrastructure.database.repeated_call import RequestIdReusedError
from infrastructure.rpc.contract import Method
from server.causes import cause_of, fault_of
from server.interception.chain import Call, StreamHandler, UnaryHandler
from server.interception.field_paths import json_path, with_json_names
from vocabulary.errors import DomainError, Kind

PRODUCT = "guerdon"
STATUS_BYTES_MAX = 3_000
"""Callers lose an error whose trailers are large, and so do others on their connection.

Holds for the message, which is sent twice, and the details together.
"""
MESSAGE_BYTES_MAX = 500
METADATA_BYTES_MAX = 300
PATH_BYTES_MAX = 300
VIOLATIONS_MAX = 10

_PACKING_BYTES = 80
"""What a detail costs beside its own bytes: the name of its type, and lengths."""

_log = structlog.get_logger()

CODES = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.NOT_NOW: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.CONFLICT: grpc.StatusCode.ABORTED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A field, by its path in the proto's names, and what is wrong with it.

    `in_json` says that the path is written as JSON has it already.
    """

    path: str
    description: str
    in_json: bool = False


@dataclass(slots=True, kw_only=True)
class Refusal(Exception):  # noqa: N818 - the house calls it so
    """A refusal of the mesh itself: an interceptor's, before any service."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[Violation] = ()
    domain: str = "mesh"


MORE_IS_WRONG = "More is wrong."


def sentences_of(violations: Sequence[Violation], *, has_more: bool, begin: str = "") -> str:
    """What is wrong, a sentence a field, as many as a message has room for behind its begin."""
    text = begin
    for each in violations:
        sentence = f"{each.path or 'The request'} {each.description}"
        sentence += "" if sentence.endswith("?") else "."
        if text and len(f"{text} {sentence} {MORE_IS_WRONG}".encode()) > MESSAGE_BYTES_MAX:
            has_more = True
            break
        text = f"{text} {sentence}".lstrip()
    return f"{text} {MORE_IS_WRONG}" if has_more else text


class Refusals:
    """The outermost step: nothing is raised past it but a status that was meant."""

    def wrap(self, method: Method, proceed: UnaryHandler) -> UnaryHandler:
        async def step(request: Message, call: Call) -> Message:
            try:
                return await proceed(request, call)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception as raised:  # noqa: BLE001 - the one place that catches them all
                refusal = refusal_of(raised, method)
            await _abort(call, refusal)
            raise AssertionError

        return step

    def wrap_stream(self, method: Method, proceed: StreamHandler) -> StreamHandler:
        async def answers(request: Message, call: Call) -> AsyncIterator[Message]:
            try:
                async for each in await proceed(request, call):
                    yield each
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception as raised:  # noqa: BLE001 - the same for streams
                refusal = refusal_of(raised, method)
            else:
                return
            await _abort(call, refusal)

        async def step(request: Message, call: Call) -> AsyncIterator[Message]:
            return answers(request, call)

        return step


async def _abort(call: Call, refusal: Refusal) -> None:
    """Ends the call with the refusal's status: gRPC raises out of it."""
    status = to_status(refusal, call.method, as_json=call.came_as_json)
    await call.context.abort_with_status(rpc_status.to_status(status))


def _shape(method: Method, paths: Sequence[str]) -> Descriptor:
    """The message whose fields the paths name: the request, or what is stored and answered.

    Whoever publishes a campaign sends its id; a rule that then blames a field of the campaign
    names it as in the answer.
    """
    asked, told = method.request_type, method.descriptor.output_type
    first = {path.partition(".")[0].partition("[")[0] for path in paths} - {""}
    is_stored = first and first.isdisjoint(asked.fields_by_name) and first <= {*told.fields_by_name}
    return told if is_stored else asked


def refusal_of(raised: Exception, method: Method) -> Refusal:
    """What the caller is told about `raised`. Logs what the caller is not told."""
    match raised:
        case Refusal():
            return raised
        case DomainError():
            if raised.kind is Kind.UNAVAILABLE and raised.__cause__ is not None:
                _log_fault("call postponed", raised.__cause__, method=method.path)
            violations = [
                Violation(path=path, description=problem) for path, problem in raised.violations
            ]
            return Refusal(
                code=CODES[raised.kind],
                reason=raised.reason,
                message=sentences_of(
                    violations[1:], has_more=raised.has_more, begin=raised.message
                ),
                metadata=raised.metadata,
                violations=violations,
                domain=raised.domain,
            )
        case RequestIdReusedError():
            return Refusal(
                code=grpc.StatusCode.ALREADY_EXISTS,
                reason="REQUEST_ID_REUSED",
                message=f"Request id {raised.request_id} was used for another request; "
                "make a new one.",
                metadata={"request_id": str(raised.request_id)},
                violations=[
                    Violation(path="request_id", description="was used for another request")
                ],
            )
    incident = str(uuid4())
    if is_away(raised):
        _log.warning("dependency away", incident=incident, method=method.path, **cause_of(raised))
        return Refusal(
            code=grpc.StatusCode.UNAVAILABLE,
            reason="DEPENDENCY_AWAY",
            message="The server cannot reach its database, so the call was most likely not done. "
            "Try again, with the same request id if it has one.",
            metadata={"incident": incident},
        )
    if is_timeout(raised):
        _log_fault("call timed out", raised, method=method.path, incident=incident)
        return Refusal(
            code=grpc.StatusCode.UNAVAILABLE,
            reason="BUSY",
            message="The call waited too long for another one, and was not done. Try again.",
            metadata={"incident": incident},
        )
    _log_fault("call failed", raised, method=method.path, incident=incident)
    return Refusal(
        code=grpc.StatusCode.INTERNAL,
        reason="INTERNAL",
        message="The server failed. The log has more under the incident's id.",
        metadata={"incident": incident},
    )


def _log_fault(event: str, raised: BaseException, **facts: str) -> None:
    _log.error(event, **fault_of(raised), **facts)


def to_status(refusal: Refusal, method: Method | None, *, as_json: bool) -> status_pb2.Status:
    """A refusal as it is sent: short enough to arrive, with paths as the caller knows them.

    Without a method it is one of something that is not of the contract.
    """
    paths = [each.path for each in refusal.violations if not each.in_json]
    request = None if method is None else _shape(method, paths)

    def told(text: str) -> str:
        """Names each bad field in the text as the caller does."""
        if not as_json:
            return text
        told_first = refusal.violations[:VIOLATIONS_MAX]
        blamed = [each.path for each in told_first if not each.in_json]
        # A key as the caller has written it stays so, whatever it is the proto's name of.
        said = [f"{each.path} {each.description}" for each in told_first if each.in_json]
        if not said:
            return with_json_names(text, request, blamed)
        kept = re.split("(" + "|".join(map(re.escape, said)) + ")", text)
        return "".join(
            part if part in said else with_json_names(part, request, blamed) for part in kept
        )

    status = status_pb2.Status(
        code=refusal.code.value[0], message=_cut(told(refusal.message), MESSAGE_BYTES_MAX)
    )
    info = error_details_pb2.ErrorInfo(
        reason=refusal.reason,
        domain=f"{refusal.domain}.{PRODUCT}",
        metadata={
            key: _cut(told(value), METADATA_BYTES_MAX) for key, value in refusal.metadata.items()
        },
    )
    status.details.add().Pack(info)
    if refusal.violations:
        room = STATUS_BYTES_MAX - status.ByteSize() - len(status.message.encode()) - _PACKING_BYTES
        status.details.add().Pack(_bad_request(refusal, request, as_json=as_json, room=room))
    return status


def _bad_request(
    refusal: Refusal, request: Descriptor | None, *, as_json: bool, room: int
) -> error_details_pb2.BadRequest:
    """The violations, as many of them as there is room for, but at least one."""
    blamed = error_details_pb2.BadRequest()
    for violation in refusal.violations[:VIOLATIONS_MAX]:
        path, description = violation.path, violation.description
        if as_json and not violation.in_json:
            description = with_json_names(description, request, [path])
            path = json_path(request, path)
        blamed.field_violations.add(
            field=_cut(path, PATH_BYTES_MAX), description=_cut(description, MESSAGE_BYTES_MAX)
        )
        if blamed.ByteSize() > room and len(blamed.field_violations) > 1:
            del blamed.field_violations[-1]
            break
    return blamed


def _cut(text: str, bytes_max: int) -> str:
    """The beginning of a text, no longer than so many bytes of UTF-8."""
    return text.encode()[:bytes_max].decode(errors="ignore")
