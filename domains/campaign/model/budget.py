"""Budgets: limits with windows of time, and what is used of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from domains.campaign.model.rule import Asset
from vocabulary.amounts import Unit
from vocabulary.ids import BudgetItemId, CampaignId

ALL_TIME = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
"""The one window of an item without windows."""

_ZONES_KEPT = 64
_MONTHS_KEPT = 4_096
DECEMBER = 12


class WindowKind(StrEnum):
    """How an item's windows are cut."""

    ALL = "all"
    DURATION = "duration"
    MONTH = "month"


class EntryKind(StrEnum):
    """What an entry did to its window."""

    CONSUME = "consume"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Windows of equal length that follow each other from `origin`, in both directions."""

    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarMonths:
    """The months of the calendar, which begin at midnight in `time_zone`."""

    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetItem:
    """One limit, in base units of one unit, for each of its windows.

    It is part of the campaign's versions from `first_version` to `last_version`, which is None as
    long as it is part of the newest. `limit_ever` is the highest limit that it has had.
    """

    budget_item_id: BudgetItemId
    campaign_id: CampaignId
    label: str
    asset: Asset
    unit: Unit
    limit: int
    window: Tiles | CalendarMonths | None
    limit_ever: int = 0
    first_version: int = 1
    last_version: int | None = None

    def __post_init__(self) -> None:
        if self.limit_ever < self.limit:
            object.__setattr__(self, "limit_ever", self.limit)

    def is_of(self, version: int) -> bool:
        """Whether it is part of a version of its campaign."""
        last = self.last_version
        return self.first_version <= version and (last is None or version <= last)

    def window_at(self, instant: datetime, *, origin: datetime) -> tuple[datetime, datetime]:
        """The window that `instant` lies in: its first instant, and the first after it.

        Windows of equal length tile time from `origin`.
        """
        match self.window:
            case None:
                return ALL_TIME
            case CalendarMonths(time_zone=time_zone):
                local = instant.astimezone(_zone(time_zone))
                start, end = _month(time_zone, local.year, local.month)
                # Clocks that go back over midnight repeat the end of a month that is over.
                return (start, end) if instant < end else self.window_at(end, origin=origin)
            case Tiles(duration=duration):
                start = origin + (instant - origin) // duration * duration
                return start, start + duration


@lru_cache(maxsize=_ZONES_KEPT)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=_MONTHS_KEPT)
def _month(time_zone: str, year: int, month: int) -> tuple[datetime, datetime]:
    zone = _zone(time_zone)
    following = (year + 1, 1) if month == DECEMBER else (year, month + 1)
    return (
        datetime(year, month, 1, tzinfo=zone).astimezone(UTC),
        datetime(*following, 1, tzinfo=zone).astimezone(UTC),
    )


@dataclass(frozen=True, slots=True, order=True)
class WindowKey:
    """One window of one item."""

    budget_item_id: BudgetItemId
    start_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWindow:
    """A window as it stands: what is used, and what had to be refused."""

    item: BudgetItem
    start_time: datetime
    end_time: datetime
    used: int
    refused_count: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one decision takes from one window, and of which unit."""

    key: WindowKey
    unit_key: str
    base_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What one decision wanted from a window that had too little left."""

    key: WindowKey
    label: str
    base_units: int
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What is used of every window that was looked at. A window that is not there is unused."""

    used: Mapping[WindowKey, int] = field(default_factory=dict)

    def used_of(self, key: WindowKey) -> int:
        return self.used.get(key, 0)

    def after(self, charges: list[Charge]) -> BudgetState:
        """The state after the charges."""
        if not charges:
            return self
        used = dict(self.used)
        for charge in charges:
            used[charge.key] = used.get(charge.key, 0) + charge.base_units
        return BudgetState(used)
