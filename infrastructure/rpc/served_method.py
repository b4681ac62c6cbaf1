"""Which method a task serves. Set by the chain of steps, asked by what makes page tokens."""

from __future__ import annotations

from contextvars import ContextVar

_path: ContextVar[str] = ContextVar("served_method", default="")


def served_method() -> str:
    """The gRPC path of the method that this task serves; empty outside of an RPC."""
    return _path.get()


def set_served_method(path: str) -> None:
    """Called once for each RPC, before its servicer."""
    _path.set(path)
