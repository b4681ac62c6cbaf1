"""Runs rounds side by side on one database, and says what does not hold afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.metadata import metadata
from infrastructure.database.schema import migrate
from infrastructure.database.transaction import Database
from tests.simulation.callers import Callers, callers_on
from tests.simulation.checks import (
    Breach,
    breaches_of_books,
    breaches_of_scene,
    breaches_of_tries,
)
from tests.simulation.clock import SharedClock
from tests.simulation.faults import Faults
from tests.simulation.history import FaultPlan, RoundPlan
from tests.simulation.playing import PATIENCE, Scene, open_scene, play
from tests.simulation.tables import Tables, read_tables
from tests.simulation.workers import Workers
from tests.support.flows import Flows, flows_on

RECORDING = Path(__file__).with_name("recording.sql")
REST_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02
JUMPS_MAX = 20
TRIES = 8
"""How often what cannot be decided is tried, so that it is dead if it dies at all."""

LONGEST_PAUSE = timedelta(minutes=6)
"""Longer than a lane or an interaction that failed waits until it is tried again."""

BREATH = timedelta(seconds=61)
"""Longer than until a worker looks thoroughly again."""

HURRIED = 20
"""How many times as fast as the host's the clock runs while workers are harmed: lanes that were
set back go on soon. Else it runs as the host's does, so that nothing is due by waiting long."""

_LATEST = text(
    """
    SELECT GREATEST(max(due_time), (SELECT max(retry_time) FROM reward_lane)) FROM (
        SELECT due_time FROM shop_order WHERE needed_rate IS NULL
        UNION ALL SELECT due_time FROM interaction WHERE kind = 'referral' AND state = 'pending'
        UNION ALL SELECT retry_time FROM reversal WHERE drain_time IS NULL
        UNION ALL SELECT retry_time FROM delivery WHERE state = 'failed'
    ) AS waiting HAVING max(due_time) IS NOT NULL
    """
)
_BUSY = text(
    """
    SELECT (SELECT count(*) FROM exchange_rate WHERE NOT announced)
         + (SELECT count(*) FROM delivery WHERE state = 'failed' AND retry_time <= :now)
    """
)
_PUT_OFF = text("SELECT merchant_id FROM reversal WHERE drain_time IS NULL AND try_count > 0")
# Orders that wait although a rate is there that is good for them.
_UNHEARD = text(
    """
    SELECT shop_order.merchant_id, order_reference, needed_rate FROM shop_order
    WHERE needed_rate IS NOT NULL AND EXISTS (
        SELECT FROM exchange_rate
        WHERE needed_rate = base_currency || '/' || quote_currency
          AND observe_time <= order_time AND observe_time > order_time - interval '7 days')
    """
)


class RestlessError(Exception):
    """Something stays due although nobody disturbs the workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What rounds came to: their merchants, what the tables say, and what does not hold."""

    scenes: Sequence[Scene]
    tables: Tables
    breaches: Sequence[Breach]


class Simulation:
    """Callers, workers and a clock on a database of their own."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        flows: Flows,
        callers: Callers,
        workers: Workers,
        clock: SharedClock,
    ) -> None:
        self._engine = engine
        self._flows = flows
        self.callers = callers
        self._workers = workers
        self._clock = clock

    async def run(self, rounds: Sequence[RoundPlan], faults: FaultPlan) -> Outcome:
        """Runs rounds side by side while things break, lets all come to rest, and checks."""
        await self._forget()
        self._workers.begin(rounds[0].seed)
        self._clock.start(speed=HURRIED if faults.harms_workers else 1)
        self._workers.start(is_hasty=faults.harms_workers)
        scenes = await asyncio.gather(
            *(open_scene(self._flows, each, plan) for each in rounds for plan in each.merchants)
        )
        await self._play(scenes, faults, seed=rounds[0].seed)
        # Whoever has time from now on comes to the end, on a slow host as well.
        if faults.harms_workers:
            self._workers.stop()
            self._workers.start(is_hasty=False)
            self._clock.go_on(speed=1)
        breaches: list[Breach] = []
        try:
            await self._until_at_rest()
            if not faults.harms_workers:
                breaches += await self._unheard_rates()
            await self._until_decided(scenes, breaches)
        except RestlessError as failure:
            breaches.append(Breach(what=str(failure)))
        await self._analyze()
        tables = await read_tables(self._flows.database)
        breaches += await self._check(self._flows.database, scenes, tables)
        breaches += self._logged(scenes)
        breaches += [
            Breach(what=f"a caller was refused: {each}") for each in self.callers.refused()
        ]
        return Outcome(scenes=scenes, tables=tables, breaches=breaches)

    async def _analyze(self) -> None:
        """What is checked joins large tables, of which PostgreSQL may know nothing yet."""
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("ANALYZE"))

    async def check_with(self, scenes: Sequence[Scene], corruption: Executable) -> list[Breach]:
        """What does not hold after a statement, whose effect is undone again."""
        async with self._engine.connect() as connection, connection.begin() as outer:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(corruption)

            @asynccontextmanager
            async def same() -> AsyncIterator[AsyncConnection]:
                yield connection

            database = Database(begin=same, read=same, connect=same)
            breaches = await self._check(database, scenes, await read_tables(database))
            await outer.rollback()
        return breaches

    async def _check(
        self, database: Database, scenes: Sequence[Scene], tables: Tables
    ) -> list[Breach]:
        breaches = await breaches_of_books(database, tables)
        for scene in scenes:
            breaches += breaches_of_scene(scene, tables, self.callers)
        return breaches

    async def _forget(self) -> None:
        self.callers.forget()
        self._workers.stop()
        names = [*metadata.tables, "order_version", "poisoned", "campaign_moment"]
        async with self._engine.begin() as connection:
            await connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))

    async def _play(self, scenes: Sequence[Scene], faults: FaultPlan, *, seed: int) -> None:
        over = asyncio.Event()
        breaking = Faults(
            engine=self._engine,
            flows=self._flows,
            callers=self.callers,
            workers=self._workers,
            plan=faults,
            random=Random(f"moments of {seed}"),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(breaking.run(over))
            try:
                async with asyncio.TaskGroup() as playing:
                    for scene in scenes:
                        playing.create_task(play(scene, self.callers))
            finally:
                over.set()

    async def _until_at_rest(self) -> None:
        """Until nothing is due now, as long as workers come on."""
        loop = asyncio.get_running_loop()
        end = loop.time() + REST_SECONDS_MAX
        rests = 0
        before: list[str] = []
        while rests < 2:
            due = await self._due()
            rests = 0 if due else rests + 1
            if due != before:
                before, end = due, loop.time() + REST_SECONDS_MAX
            if loop.time() > end:
                raise RestlessError(f"stays due: {due}")
            await asyncio.sleep(POLL_SECONDS)

    async def _due(self) -> list[str]:
        now = self._clock.now
        look = self._flows.reward.list_waiting_lanes
        lanes = [lane for lane in await look(is_thorough=True) if lane.due_time <= now]
        seen = {lane.merchant_id for lane in await look() if lane.due_time <= now}
        # What could not be taken back is found again by a thorough look alone, after a jump.
        put_off = await self._put_off() - seen
        due = [str(lane) for lane in lanes if lane.merchant_id not in put_off]
        busy = await self._scalar(_BUSY, now=now)
        return [*due, f"{busy} rates or deliveries"] if busy else due

    async def _put_off(self) -> set[UUID]:
        async with self._engine.connect() as connection:
            return set((await connection.execute(_PUT_OFF)).scalars())

    async def _until_decided(self, scenes: Sequence[Scene], breaches: list[Breach]) -> None:
        """Jumps ahead until nothing waits any more, except for rates that never come."""
        for _ in range(TRIES if any(scene.plan.poisoned for scene in scenes) else 1):
            self._clock.now += LONGEST_PAUSE
            await self._until_at_rest()
        tables = await read_tables(self._flows.database)
        breaches += breaches_of_tries(scenes, tables)
        await self._mend(scenes)
        self._clock.now += PATIENCE
        await self._until_at_rest()
        for _ in range(JUMPS_MAX):
            latest: datetime | None = await self._scalar(_LATEST)
            if latest is None:
                return
            self._clock.now = max(latest, self._clock.now) + BREATH
            await self._until_at_rest()
        raise RestlessError("is put off again and again")

    async def _mend(self, scenes: Sequence[Scene]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text("DELETE FROM poisoned"))
        for scene in scenes:
            if scene.plan.poisoned:
                await self._flows.lane.retry_dead(scene.shop.merchant_id, None, repeat=None)

    async def _unheard_rates(self) -> list[Breach]:
        async with self._engine.connect() as connection:
            return [
                Breach(
                    what=f"waits for {row.needed_rate}, which is there",
                    merchant_id=row.merchant_id,
                    order=row.order_reference,
                )
                for row in await connection.execute(_UNHEARD)
            ]

    def _logged(self, scenes: Sequence[Scene]) -> list[Breach]:
        """What went wrong in workers without anything having been broken."""
        poisoned = {str(each.shop.merchant_id) for each in scenes if each.plan.poisoned}
        kept = {str(each.shop.merchant_id) for each in scenes if each.plan.kept}
        by_id = {str(each.shop.merchant_id): each.shop.merchant_id for each in scenes}
        return [
            Breach(
                what=f"a worker logged {each}", merchant_id=by_id.get(str(each.get("merchant_id")))
            )
            for each in self._workers.heard()
            if each["level"] == "error"
            and each.get("merchant_id") not in poisoned
            and not (each["event"] == "reversal failed" and each.get("merchant_id") in kept)
            and each.get("obstacle") not in {"TIMED_OUT", "CONNECTION_LOST"}
        ]

    async def _scalar(self, statement: Any, **parameters: object) -> Any:
        async with self._engine.connect() as connection:
            return (await connection.execute(statement, parameters)).scalar_one_or_none()


@asynccontextmanager
async def simulation_on(
    url_of: Callable[[str], str], url: str, *, name: str = "simulation"
) -> AsyncIterator[Simulation]:
    """A simulation on a new database of a server; `url_of` says where a database is."""
    maker = create_engine(url, pool_size=1, application_name="maker")
    async with maker.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f"CREATE DATABASE {name}"))
        # Planning costs more than running where there are so few rows.
        await connection.execute(
            text(f"ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan")
        )
    await maker.dispose()
    engine = create_engine(url_of(name), pool_size=8, application_name="observer")
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        clock = SharedClock.made(Path(folder) / "clock")
        workers = Workers(
            url=url_of(name),
            clock=Path(folder) / "clock",
            log=Path(folder) / "log",
        )
        try:
            await migrate(engine)
            async with engine.begin() as connection:
                raw = await connection.get_raw_connection()
                assert raw.driver_connection is not None
                await raw.driver_connection.execute(RECORDING.read_text(encoding="utf-8"))
            async with callers_on(url_of(name), clock) as callers:
                yield Simulation(
                    engine=engine,
                    flows=flows_on(database_of(engine), clock=clock),
                    callers=callers,
                    workers=workers,
                    clock=clock,
                )
        finally:
            workers.stop()
            await engine.dispose()
            clock.close()
