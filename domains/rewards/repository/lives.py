"""Lives of orders, as statements take them and rows name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from domains.rewards.model import OrderLife


def asked(lives: Sequence[OrderLife]) -> dict[str, object]:
    """The two parameters of a statement that asks about lives of orders."""
    return {
        "order_references": [each.order_reference for each in lives],
        "generations": [each.generation for each in lives],
    }


def to_life(row: Any) -> OrderLife:
    """The life that a row is about."""
    return OrderLife(order_reference=row.order_reference, generation=row.generation)


def to_lives(rows: Iterable[Any]) -> set[OrderLife]:
    """The lives that rows are about."""
    return {to_life(row) for row in rows}
