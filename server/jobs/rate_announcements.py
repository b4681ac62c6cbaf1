"""Tells orders that wait for an exchange rate that it has come."""

from __future__ import annotations

from orchestration.reward.flow import RateAnnouncementOrchestrator

BATCH_MAX = 100


class RateAnnouncements:
    """Up to a hundred steps of up to a thousand orders a run; another run follows at once."""

    def __init__(self, *, flow: RateAnnouncementOrchestrator) -> None:
        self._flow = flow

    async def run(self) -> bool:
        """Whether anything was announced, so that there may be something to decide."""
        for step in range(BATCH_MAX):
            if not await self._flow.announce_next():
                return step > 0
        return True
