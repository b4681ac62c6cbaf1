"""Orders as the lane of their merchant meets them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedOrder:
    """An order whose buyer and time are fixed, because it is decided next.

    `line_count` is how many lines it has, which is what deciding it costs; `was_fixed` that it has
    been fixed before, and whoever did that was interrupted.
    """

    order_reference: str
    generation: int
    order_time: datetime
    line_count: int
    was_fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLife:
    """A generation of an order that was fixed, and whether it was decided."""

    order_reference: str
    generation: int
    is_decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """An order that a lane has dealt with.

    Decided for good; or to be looked at again at `due_time`, None: not before somebody asks
    for it. Until then its buyer and time are open. `needed_rate` is what it waits for.
    """

    order_reference: str
    generation: int
    is_decided: bool
    due_time: datetime | None = None
    needed_rate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedOrders:
    """How many orders waited for a rate, as far as was looked, and how many were released.

    The others were being written at that moment.
    """

    found_count: int
    count: int
