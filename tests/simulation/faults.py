"""Breaks things at random while a simulation runs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.purchases.service.purchases import CLAIMS_KEPT
from tests.simulation.callers import Callers
from tests.simulation.history import FaultPlan
from tests.simulation.workers import Workers
from tests.support.flows import Flows

POLL_SECONDS = 0.02
MESSAGES_A_STEP = 8
# From one statement of a worker that comes too late to those that try parts of the same again.
HELD_SECONDS = (0.45, 1.0)
FROZEN_SECONDS = (0.2, 0.8)
GATHERED_SECONDS = (0.1, 0.4)
_LANE = "SELECT FROM reward_lane WHERE merchant_id = :merchant_id"
_ITEMS = """
    SELECT budget_item_id FROM budget_item JOIN campaign USING (campaign_id)
    WHERE merchant_id = :merchant_id
"""
# Rows of a merchant, in the order in which a batch meets them. It waits only for the last three.
HELD = (
    _LANE,
    "SELECT FROM shop_order WHERE merchant_id = :merchant_id",
    "SELECT FROM campaign WHERE merchant_id = :merchant_id",
    f"SELECT FROM budget_window WHERE budget_item_id IN ({_ITEMS})",
    "SELECT FROM account WHERE merchant_id = :merchant_id",
)
HELD_WEIGHTS = (1, 1, 2, 3, 3)
_ONE = "ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED"

_KILL = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE :name || '%' AND state <> 'idle'
    ORDER BY random() LIMIT 1
    """
)
_DUE = text(
    """
    SELECT merchant_id FROM (
        SELECT merchant_id FROM shop_order WHERE due_time <= :now GROUP BY merchant_id
    ) AS waiting ORDER BY random() LIMIT 1
    """
)


class Faults:
    """Breaks things until it is told to stop; then everything that stopped goes on.

    It keeps pace with the messages, so that a slow host sees no more faults than a fast one.
    """

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        flows: Flows,
        callers: Callers,
        workers: Workers,
        plan: FaultPlan,
        random: Random,
    ) -> None:
        self._engine = engine
        self._flows = flows
        self._callers = callers
        self._workers = workers
        self._plan = plan
        self._random = random

    async def run(self, until: asyncio.Event) -> None:
        sent = 0
        async with asyncio.TaskGroup() as group:
            while not until.is_set():
                await asyncio.sleep(POLL_SECONDS)
                while sent + MESSAGES_A_STEP <= self._callers.sent_count:
                    sent += MESSAGES_A_STEP
                    await self._step(group)
        self._workers.thaw_all()

    async def _step(self, group: asyncio.TaskGroup) -> None:
        plan, random = self._plan, self._random
        if random.random() < plan.kills_of_callers:
            await self._end_session("caller")
        if random.random() < plan.kills_of_workers_sessions:
            await self._end_session("worker")
        if random.random() < plan.kills_of_workers:
            self._workers.kill()
        if random.random() < plan.freezes:
            group.create_task(self._freeze())
        if random.random() < plan.locks:
            (rows,) = random.choices(HELD, HELD_WEIGHTS)
            group.create_task(self._hold(rows))
        if random.random() < plan.forgetting:
            await self._forget_claims()

    async def _end_session(self, name: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(_KILL, {"name": name})

    async def _forget_claims(self) -> None:
        """Housekeeping a month later: claims are forgotten whose tokens no report carried."""
        flows = self._flows
        async with flows.database.transaction() as tx:
            await flows.purchases.forget_claims(
                tx, now=flows.clock.now + CLAIMS_KEPT + timedelta(days=1), batch_size=1_000
            )

    async def _freeze(self) -> None:
        pid = self._workers.freeze()
        if pid is not None:
            await asyncio.sleep(self._random.uniform(*FROZEN_SECONDS))
            self._workers.thaw(pid)

    async def _hold(self, rows: str) -> None:
        """Holds a row that a batch needs, longer than a worker's statement may take.

        It is one of a merchant where something is due, and where more of it gathers at first, so
        that the row stops several events at once or some of several.
        """
        async with self._engine.connect() as connection:
            found = await connection.execute(_DUE, {"now": self._flows.clock.now})
            held = {"merchant_id": found.scalar_one_or_none()}
            await connection.execute(text(f"{rows} {_ONE}"), held)
            async with connection.begin_nested() as gathering:
                await connection.execute(text(f"{_LANE} {_ONE}"), held)
                await asyncio.sleep(self._random.uniform(*GATHERED_SECONDS))
                await gathering.rollback()
            await asyncio.sleep(self._random.uniform(*HELD_SECONDS))
            await connection.rollback()
