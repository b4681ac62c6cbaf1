"""Tells orders that wait for an exchange rate that it has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from infrastructure.database.failures import is_away, is_timeout
from orchestration.lane.flow import RateAnnouncementOrchestrator
from orchestration.lane.flow.announcing import ANNOUNCED_MAX
from server.causes import fault_of
from vocabulary.ids import ExchangeRateId

RUN_EVERY = timedelta(seconds=1)
STEPS_MAX = 100
SHRINKING = 10
"""A step that took too long is tried again with so many times fewer orders."""

_log = structlog.get_logger()


class RateAnnouncements:
    """Walks all rates that are not announced, by their ids.

    Up to a hundred steps of up to a thousand orders a run; the next run, within a second, goes on
    where this one stopped. What keeps one rate from being announced keeps no other from it: the
    walk goes on, and the rate's turn comes again with the next walk.
    """

    def __init__(
        self,
        *,
        flow: RateAnnouncementOrchestrator,
        released: Callable[[], None] = lambda: None,
    ) -> None:
        self._flow = flow
        self._released = released
        self._place: ExchangeRateId | None = None
        self._limit = ANNOUNCED_MAX

    async def run(self) -> timedelta:
        """Calls `released` if orders wait for a rate no longer, and so may be decided."""
        released_count = 0
        for _ in range(STEPS_MAX):
            rate = await self._flow.next_rate(self._place)
            if rate is None:
                self._place = None
                break
            released_count += await self._announce(rate)
        if released_count:
            self._released()
        return RUN_EVERY

    async def _announce(self, rate: ExchangeRateId) -> int:
        """Takes one step; returns how many orders were released by it."""
        try:
            step = await self._flow.announce(rate, limit=self._limit)
        except Exception as raised:
            if is_timeout(raised) and self._limit > 1:
                self._limit = max(1, self._limit // SHRINKING)
                return 0
            self._place = rate
            if is_away(raised):
                raise
            _log.error("rate not announced", exchange_rate_id=str(rate), **fault_of(raised))
            return 0
        self._limit = min(ANNOUNCED_MAX, 2 * self._limit)
        if step.is_last:
            self._place = rate
        return step.released_count
