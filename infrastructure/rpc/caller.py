"""Who is calling. Set by the caller interceptor, asked by servicers alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import UUID


class CallerKind(IntEnum):
    """The numbers are those of `guerdon.options.v1.Access.Caller`."""

    ANYONE = 1
    VISITOR = 2
    MERCHANT = 5
    SHOP = 6
    SERVICE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a call was proven to come from.

    `client_id` is set for a visitor. `merchant_roles` is the role that a person of a
    merchant's team holds at each merchant, as a number of `guerdon.options.v1.MerchantRole`.
    """

    kind: CallerKind
    client_id: str = ""
    merchant_roles: Mapping[UUID, int] = field(default_factory=dict)

    @property
    def principal(self) -> str:
        """Under which name the caller's repeated calls are kept apart from others'."""
        return f"{self.kind.name.lower()}:{self.client_id}"


_current: ContextVar[Caller] = ContextVar("caller")


def current_caller() -> Caller:
    """The caller of the RPC that this task serves."""
    return _current.get()


def set_caller(caller: Caller) -> None:
    """Called once for each RPC, before its servicer."""
    _current.set(caller)


def caller_kind() -> str:
    """The kind of the caller, for the log; empty until one is proven."""
    caller = _current.get(None)
    return "" if caller is None else caller.kind.name.lower()
