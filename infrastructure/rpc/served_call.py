"""Which call a task serves. Set by the chain of steps, asked by what makes page tokens."""

from __future__ import annotations

from contextvars import ContextVar

from google.protobuf.message import Message

_served: ContextVar[tuple[str, Message | None]] = ContextVar("served_call", default=("", None))


def served_call() -> tuple[str, Message | None]:
    """The gRPC path and the request that this task serves; outside of one, nothing."""
    return _served.get()


def set_served_call(path: str, request: Message) -> None:
    """Called once for each RPC, before its servicer."""
    _served.set((path, request))
