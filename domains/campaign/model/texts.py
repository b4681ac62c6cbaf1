"""Whether some text can meet all that is asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domains.campaign.model.comparing import MISSING
from domains.campaign.model.condition import is_met
from domains.campaign.model.fields import PRESENCE
from domains.campaign.model.rule import Condition, Operator


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition, and whether it is to hold or not to."""

    condition: Condition
    is_wanted: bool

    def is_met_by(self, value: object) -> bool:
        return is_met(self.condition, value) == self.is_wanted


def texts_may_meet(asked: Sequence[Asked], *, is_always_there: bool) -> bool:
    """Whether a text may meet all of it; False only if none does.

    What nothing can meet is found where one value is named, or two beginnings, ends or bounds
    exclude each other. Of what is left some may have no text still: True is then said as well.
    """
    if not is_always_there and _all_met(asked, MISSING):
        return True
    if not _all_met([each for each in asked if each.condition.operator in PRESENCE], ""):
        return False
    named = _named(asked)
    if named is not None:
        return any(_all_met(asked, value) for value in named)
    bounds = _Bounds.of(asked)
    if bounds.low == bounds.high:
        return _all_met(asked, bounds.low)
    return bounds.leave_room()


def _all_met(asked: Iterable[Asked], value: object) -> bool:
    return all(each.is_met_by(value) for each in asked)


def _named(asked: Iterable[Asked]) -> Sequence[object] | None:
    """The only values that can be, if one of the conditions says which."""
    for each in asked:
        value = each.condition.value
        match each.condition.operator, each.is_wanted:
            case (Operator.EQ, True) | (Operator.NEQ, False):
                return [value]
            case (Operator.IN, True) | (Operator.NOT_IN, False):
                return value if isinstance(value, tuple) else [value]
    return None


_BEFORE = frozenset({(Operator.LT, True), (Operator.GTE, False)})
"""Questions whose value itself is too much."""


@dataclass(slots=True, kw_only=True)
class _Bounds:
    """How a text must begin and end, what it must contain, and between which texts it lies."""

    beginnings: list[str]
    endings: list[str]
    parts: list[str]
    never: list[Condition]
    low: str = ""
    high: str | None = None
    never_from: str | None = None

    @classmethod
    def of(cls, asked: Iterable[Asked]) -> _Bounds:
        bounds = cls(beginnings=[], endings=[], parts=[], never=[])
        for each in asked:
            bounds._add(each.condition, is_wanted=each.is_wanted)
        return bounds

    def _add(self, condition: Condition, *, is_wanted: bool) -> None:
        value = condition.value
        if not isinstance(value, str):
            return
        match condition.operator, is_wanted:
            case Operator.STARTS_WITH, True:
                self.beginnings.append(value)
            case Operator.ENDS_WITH, True:
                self.endings.append(value)
            case Operator.CONTAINS, True:
                self.parts.append(value)
            case ((Operator.STARTS_WITH | Operator.ENDS_WITH | Operator.CONTAINS), False):
                self.never.append(condition)
            case (Operator.GT | Operator.GTE, True) | (Operator.LT | Operator.LTE, False):
                self.low = max(self.low, value)
            case (Operator.LT | Operator.LTE, True) | (Operator.GT | Operator.GTE, False):
                self._lower(value)
                if (condition.operator, is_wanted) in _BEFORE:
                    known = self.never_from
                    self.never_from = value if known is None else min(known, value)
            case Operator.BETWEEN, True:
                self.low = max(self.low, value)
                self._lower(str(condition.value_to))
            case _:
                pass

    def _lower(self, high: str) -> None:
        self.high = high if self.high is None else min(self.high, high)

    def leave_room(self) -> bool:
        beginning = max(self.beginnings, key=len, default="")
        ending = max(self.endings, key=len, default="")
        if not all(beginning.startswith(each) for each in self.beginnings):
            return False
        if not all(ending.endswith(each) for each in self.endings):
            return False
        if self.high is not None and (self.low > self.high or beginning > self.high):
            return False
        if self.never_from is not None and beginning >= self.never_from:
            return False
        if beginning < self.low and not self.low.startswith(beginning):
            return False
        return not any(self._has(each, beginning, ending) for each in self.never)

    def _has(self, condition: Condition, beginning: str, ending: str) -> bool:
        """Whether what a text must have is what it must not have."""
        value = condition.value
        assert isinstance(value, str)
        match condition.operator:
            case Operator.STARTS_WITH:
                return beginning.startswith(value)
            case Operator.ENDS_WITH:
                return ending.endswith(value)
            case _:
                return any(value in each for each in (beginning, ending, *self.parts))
