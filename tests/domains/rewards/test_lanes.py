"""Lanes on PostgreSQL: one writer a merchant."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domains.rewards.model import LanePhase, LaneWork, Obstacle
from domains.rewards.repository import LaneRepository
from infrastructure.database.transaction import Database
from tests.support.races import beside, until_awaited
from vocabulary.ids import MerchantId

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SHOP = MerchantId(uuid4())

lanes = LaneRepository()


async def take(database: Database) -> LaneWork | None:
    async with database.transaction() as tx:
        return await lanes.take(tx, SHOP)


async def test_a_lane_has_one_writer_and_nobody_waits_for_it(real_database: Database) -> None:
    """Two workers would spend one budget twice, or all would wait for the slowest."""
    async with real_database.transaction() as tx:
        await lanes.ensure(tx, SHOP)

    async with real_database.transaction() as tx:
        assert await lanes.take(tx, SHOP) is not None
        async with asyncio.timeout(5):
            assert await beside(take(real_database)) is None
    assert await take(real_database) is not None


async def test_whoever_waits_for_a_lane_is_its_next_writer(real_database: Database) -> None:
    """An operator's retry would write beside a worker."""
    async with real_database.transaction() as tx:
        await lanes.ensure(tx, SHOP)

    async def wait() -> None:
        async with real_database.transaction() as tx:
            await lanes.wait_for(tx, SHOP)

    async with real_database.transaction() as tx:
        assert await lanes.take(tx, SHOP) is not None
        waiting = beside(wait())
        await until_awaited(tx)
    await waiting

    async with real_database.transaction() as tx:
        await lanes.wait_for(tx, SHOP)
        assert await beside(take(real_database)) is None


async def test_a_held_lane_has_no_writer(database: Database) -> None:
    """What an operator stopped would go on."""
    async with database.transaction() as tx:
        await lanes.set_held(tx, SHOP, held=True)
        assert await lanes.take(tx, SHOP) is None
        await lanes.set_held(tx, SHOP, held=False)
        assert await lanes.take(tx, SHOP) is not None


async def test_failures_in_a_row_are_counted_until_a_turn_succeeds(database: Database) -> None:
    """A lane that fails would be tried every five seconds for ever, or rest after it was mended."""
    async with database.transaction() as tx:
        await lanes.ensure(tx, SHOP)
        for failures in (1, 2):
            retry_time = NOON + timedelta(seconds=failures)
            await lanes.set_back(
                tx, SHOP, retry_time=retry_time, obstacle=Obstacle.TIMED_OUT, size=2
            )
            lane = await lanes.take(tx, SHOP)
            assert lane is not None
            assert lane.failure_count == failures

        await lanes.advance(tx, SHOP, 9)

        lane = await lanes.take(tx, SHOP)
        assert lane is not None
        assert (lane.failure_count, lane.next_sequence) == (0, 9)


async def test_whoever_releases_a_lane_has_it_tried_now(database: Database) -> None:
    """Five minutes after a fault was mended nobody would be paid yet."""
    async with database.transaction() as tx:
        await lanes.ensure(tx, SHOP)
        await lanes.set_back(tx, SHOP, retry_time=NOON, obstacle=Obstacle.TIMED_OUT, size=2)

        await lanes.set_held(tx, SHOP, held=False)

        lane = await lanes.take(tx, SHOP)
        assert lane is not None
        assert lane.failure_count == 0


async def test_a_lane_is_found_as_it_was_left(database: Database) -> None:
    """A round would begin anew at every turn, or at another place."""
    async with database.transaction() as tx:
        await lanes.ensure(tx, SHOP)
        lane = await lanes.take(tx, SHOP)
        assert lane is not None
        assert (lane.phase, lane.round_number, lane.next_sequence) == (LanePhase.IDLE, 0, 1)
        begun = lane.begin_round(NOON)

        await lanes.save(tx, begun)

        assert await lanes.take(tx, SHOP) == begun
