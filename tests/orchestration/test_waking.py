"""Workers look when there is something to do, and not a second later."""

from __future__ import annotations

import asyncio

from domains.rewards.model.lane import WORKERS
from infrastructure.database.transaction import Database
from infrastructure.database.waking import listen
from tests.support.shop import a_shop

SOON_SECONDS = 5


async def test_a_released_lane_wakes_the_workers(real_database: Database) -> None:
    """After each day of history that is told, everybody would wait a second for nothing."""
    shop = await a_shop(real_database)
    woken, stopping = asyncio.Event(), asyncio.Event()
    listening = asyncio.create_task(listen(real_database, WORKERS, woken, stopping))
    try:
        # Set once when the connection listens.
        await asyncio.wait_for(woken.wait(), SOON_SECONDS)
        woken.clear()

        await shop.flows.lane.set_lane_held(shop.merchant_id, held=False, repeat=None)

        await asyncio.wait_for(woken.wait(), SOON_SECONDS)
    finally:
        stopping.set()
        await listening
