"""One line for each call: what was called, by which kind of caller, how it ended."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message

from infrastructure.rpc.caller import caller_kind
from infrastructure.rpc.contract import Method
from server.causes import cause_of
from server.interception.chain import Call, Handler
from server.interception.field_paths import known_path
from server.interception.refusals import CODES, VIOLATIONS_MAX, Refusal, Violation
from vocabulary.errors import DomainError

REQUEST_ID_CHARACTERS_MAX = 64

_log = structlog.get_logger()


class RequestLog:
    """Logs ids, kinds and names of fields; never a message, a value, a header or a token."""

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        path = method.path

        async def step(request: Message, call: Call) -> Message:
            begin = time.perf_counter()
            code, reason = "OK", ""
            blamed: dict[str, Any] = {}
            try:
                return await proceed(request, call)
            except (Refusal, DomainError) as refusal:
                code, reason = _told(refusal)
                blamed = _blamed(refusal, method)
                raise
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except Exception:
                code = "FAILED"
                raise
            finally:
                _log.info(
                    "call",
                    method=path,
                    caller=caller_kind(),
                    code=code,
                    reason=reason,
                    **blamed,
                    milliseconds=round((time.perf_counter() - begin) * 1000, 1),
                    # The caller's own name for the call; it may be anything.
                    request_id=call.header("x-request-id")[:REQUEST_ID_CHARACTERS_MAX],
                )

        return step


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
