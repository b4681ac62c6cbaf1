"""When two values of a condition are the same, and which comes first."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal

DIGITS_MAX = 40
"""How many digits a number that is written as a text has, before and after the point each."""

NUMBER = re.compile(rf"-?[0-9]{{1,{DIGITS_MAX}}}(\.[0-9]{{1,{DIGITS_MAX}}})?")
"""A text that spells a number."""


class Missing:
    """What a path that leads nowhere leads to. Null is something else."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


def to_number(value: object) -> Decimal | None:
    """The exact number that a number, or a text that spells one, stands for."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def compare(left: object, right: object) -> int | None:
    """Negative, zero or positive as `left` comes before, with or after `right`; None: neither."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    one, other = to_number(left), to_number(right)
    if one is None or other is None:
        return None
    return (one > other) - (one < other)


def is_equal(left: object, right: object) -> bool:
    """Whether two values are the same. A number equals a text that spells it.

    What is missing equals nothing, null included.
    """
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, (list, tuple, Mapping)) or isinstance(right, (list, tuple, Mapping)):
        return False
    return compare(left, right) == 0


class Choices:
    """The values of a list, to be asked for one that is equal at a cost that no length changes.

    A text equals a number that it spells but no other spelling of it, so that equality does not
    carry over from one to the next, and one set of values would not do.
    """

    __slots__ = ("_numbers", "_others", "_spelled", "_texts")

    def __init__(self, values: Collection[object]) -> None:
        self._texts = frozenset(each for each in values if isinstance(each, str))
        self._numbers = frozenset(each for each in values if isinstance(each, Decimal))
        spelled = (to_number(each) for each in self._texts)
        self._spelled = frozenset(each for each in spelled if each is not None)
        self._others = tuple(each for each in values if each is None or isinstance(each, bool))

    def __contains__(self, saw: object) -> bool:
        if isinstance(saw, str):
            return saw in self._texts or (bool(self._numbers) and to_number(saw) in self._numbers)
        if isinstance(saw, Decimal):
            return saw in self._numbers or saw in self._spelled
        return any(saw is each for each in self._others)
