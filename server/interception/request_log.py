"""One line for each call: what was called, by which kind of caller, how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc
import structlog
from google.protobuf.message import Message

from infrastructure.rpc.caller import caller_kind
from infrastructure.rpc.contract import Method
from server.causes import cause_of
from server.interception.chain import Call, StreamHandler, UnaryHandler
from server.interception.field_paths import known_path
from server.interception.refusals import CODES, VIOLATIONS_MAX, Refusal, Violation
from vocabulary.errors import DomainError

REQUEST_ID_CHARACTERS_MAX = 64

_log = structlog.get_logger()


class RequestLog:
    """Logs ids, kinds and names of fields; never a message, a value, a header or a token."""

    def wrap(self, method: Method, proceed: UnaryHandler) -> UnaryHandler:
        async def step(request: Message, call: Call) -> Message:
            with _Line(method, call):
                return await proceed(request, call)

        return step

    def wrap_stream(self, method: Method, proceed: StreamHandler) -> StreamHandler:
        async def answers(request: Message, call: Call) -> AsyncIterator[Message]:
            with _Line(method, call) as line:
                line.facts["messages"] = 0
                async for each in await proceed(request, call):
                    yield each
                    line.facts["messages"] += 1

        async def step(request: Message, call: Call) -> AsyncIterator[Message]:
            return answers(request, call)

        return step


class _Line:
    """Writes the line of a call when it has ended, however it did."""

    __slots__ = ("_begin", "_call", "_method", "facts")

    def __init__(self, method: Method, call: Call) -> None:
        self._method = method
        self._call = call
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._begin = time.perf_counter()
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        raised: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        code, reason = "OK", ""
        match raised:
            case None:
                pass
            case Refusal() | DomainError():
                code, reason = _told(raised)
                self.facts |= _blamed(raised, self._method)
            # The latter: nobody reads the stream any more.
            case asyncio.CancelledError() | GeneratorExit():
                code = "CANCELLED"
            case _:
                code = "FAILED"
        _log.info(
            "call",
            method=self._method.path,
            caller=caller_kind(),
            code=code,
            reason=reason,
            **self.facts,
            milliseconds=round((time.perf_counter() - self._begin) * 1000, 1),
            # The caller's own name for the call; it may be anything.
            request_id=self._call.header("x-request-id")[:REQUEST_ID_CHARACTERS_MAX],
        )


def _told(refusal: Refusal | DomainError) -> tuple[str, str]:
    code: grpc.StatusCode = refusal.code if isinstance(refusal, Refusal) else CODES[refusal.kind]
    return code.name, refusal.reason


def _blamed(refusal: Refusal | DomainError, method: Method) -> dict[str, Any]:
    """The fields that a refusal names, and what it follows from if the fault is not the caller's.

    Of the latter, not which exception it is told by: that is the reason.
    """
    violations = [
        each.path if isinstance(each, Violation) else each[0] for each in refusal.violations
    ]
    paths = [known_path(method.request_type, path) for path in violations[:VIOLATIONS_MAX] if path]
    facts: dict[str, Any] = {"fields": paths} if paths else {}
    if isinstance(refusal, Refusal) and refusal.__cause__ is not None:
        facts |= cause_of(refusal.__cause__)
    return facts
