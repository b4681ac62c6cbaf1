"""Calls that may come again. Set by the repeat interceptor, handed on by servicers."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, overload
from uuid import UUID

from google.protobuf.message import Message

from infrastructure.database.repeated_call import Repeat

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatableCall:
    """The call that this task serves, when it carries a request id."""

    principal: str
    method: str
    request_id: UUID
    digest: bytes


_current: ContextVar[RepeatableCall | None] = ContextVar("repeatable_call", default=None)


def set_repeatable_call(call: RepeatableCall | None) -> None:
    """Called once for each RPC, before its servicer."""
    _current.set(call)


@overload
def current_repeat() -> Repeat[Message] | None: ...
@overload
def current_repeat(to_response: Callable[[Result], Message]) -> Repeat[Result] | None: ...
def current_repeat(to_response: Callable[[Any], Message] | None = None) -> Repeat[Any] | None:
    """What `answer_once` needs to keep the answer of this call.

    `to_response` makes the response from what the work results in, unless that is the response.
    None if the call carries no request id.
    """
    call = _current.get()
    if call is None:
        return None

    def to_bytes(result: Any) -> bytes:
        response: Message = result if to_response is None else to_response(result)
        return response.SerializeToString()

    return Repeat(
        principal=call.principal,
        method=call.method,
        request_id=call.request_id,
        digest=call.digest,
        to_bytes=to_bytes,
    )
