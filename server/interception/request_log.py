"""One line for each call: what was called, by which kind of caller, how it ended."""

from __future__ import annotations

import asyncio
import time

import grpc
import structlog
from google.protobuf.message import Message

from infrastructure.rpc.caller import caller_kind
from infrastructure.rpc.contract import Method
from server.interception.chain import Call, Handler
from server.interception.refusals import CODES, Refusal
from vocabulary.errors import DomainError

REQUEST_ID_CHARACTERS_MAX = 64

_log = structlog.get_logger()


class RequestLog:
    """Logs ids and kinds; never a message, a header or a token."""

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        path = method.path

        async def step(request: Message, call: Call) -> Message:
            begin = time.perf_counter()
            code, reason = "OK", ""
            try:
                return await proceed(request, call)
            except (Refusal, DomainError) as refusal:
                code, reason = _told(refusal)
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
                    milliseconds=round((time.perf_counter() - begin) * 1000, 1),
                    # The caller's own name for the call; it may be anything.
                    request_id=call.header("x-request-id")[:REQUEST_ID_CHARACTERS_MAX],
                )

        return step


def _told(refusal: Refusal | DomainError) -> tuple[str, str]:
    code: grpc.StatusCode = refusal.code if isinstance(refusal, Refusal) else CODES[refusal.kind]
    return code.name, refusal.reason
