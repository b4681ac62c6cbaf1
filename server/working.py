"""The worker process: reward work, retries, housekeeping, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from domains.rewards.model.lane import WORKERS
from infrastructure.database.engine import Limits
from infrastructure.database.partitions import keep_months
from infrastructure.database.waking import listen
from server.jobs.delivery_retries import MERCHANTS_MAX, DeliveryRetries
from server.jobs.housekeeping import Housekeeping
from server.jobs.rate_announcements import RateAnnouncements
from server.jobs.reward_work import LANES_MAX, RewardWork
from server.preflight import until_usable_at
from server.probes.keys import KeyWatch
from server.repeating import RETRY_SECONDS, Job, once, paced, repeatedly, timekeeping
from server.serving import stop_signal
from server.settings.process import Settings
from server.wiring import Application, application

SLEEP_SECONDS_MAX = 1.0
COLLECTOR_THRESHOLDS = (100_000, 50, 50)
HOUSEKEEPING_EVERY = timedelta(hours=1)

JOBS = ("clock", "rewards", "retries", "rates", "housekeeping", "keys", "listening")
CONNECTIONS = LANES_MAX + MERCHANTS_MAX + len(JOBS)
"""One for each lane that is worked on, each merchant whose deliveries are tried, and each job."""

WORK_LIMITS = Limits(transaction=timedelta(seconds=30), connections=CONNECTIONS)

_log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT. What is being done then is finished first."""
    stopping = stop_signal()
    # A batch makes some hundred thousand objects that live until it is written. The collector's
    # usual threshold would have it walk them again and again, for a sixth of the time.
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    async with application(settings, name="work", limits=WORK_LIMITS) as app:
        await until_usable_at(settings.database_url.get_secret_value(), app.secrets, stopping)
        clock = app.clock
        alarms = {name: asyncio.Event() for name in JOBS}
        rewards = RewardWork(flow=app.flows.reward, clock=clock, woken=alarms["rewards"].set)
        retries = DeliveryRetries(flow=app.flows.purchase_webhook)
        rates = RateAnnouncements(flow=app.flows.rate_announcement)

        async def run_retries() -> float:
            await retries.run()
            return SLEEP_SECONDS_MAX

        async def run_rewards() -> float:
            return _seconds_until(await rewards.run(), now=clock())

        async def run_rates() -> float:
            if await rates.run():
                alarms["rewards"].set()
            return SLEEP_SECONDS_MAX

        async def run_listening() -> float:
            await listen(app.database, WORKERS, alarms["rewards"], stopping)
            return RETRY_SECONDS

        run_clock, run_housekeeping = timekeeping(clock, app.database), _housekeeping(app)
        # A look follows the end of every lane, and costs the more the more merchants there are.
        run_looks = paced(run_rewards, stopping)
        run_keys = KeyWatch(database=app.database, secrets=app.secrets).run
        runs = (
            run_clock,
            run_looks,
            run_retries,
            run_rates,
            run_housekeeping,
            run_keys,
            run_listening,
        )
        # Before anything is decided by it.
        await once("clock", run_clock)
        _log.info("working")
        await asyncio.gather(
            *(
                repeatedly(name, run, stopping, alarms[name])
                for name, run in zip(JOBS, runs, strict=True)
            ),
            _wake_all(stopping, alarms.values()),
        )
        await rewards.finish()
        _log.info("stopped")


def _housekeeping(app: Application) -> Job:
    housekeeping = Housekeeping(
        database=app.database,
        purchases=app.domains.purchases,
        deliveries=app.domains.deliveries,
        keep_months=keep_months,
        clock=app.clock,
    )

    async def run() -> float:
        # What is forgotten does not come back: not by the host's clock alone.
        await app.clock.synchronise(app.database)
        is_more_left = await housekeeping.run()
        return RETRY_SECONDS if is_more_left else HOUSEKEEPING_EVERY.total_seconds()

    return run


def _seconds_until(due_time: datetime | None, *, now: datetime) -> float:
    if due_time is None:
        return SLEEP_SECONDS_MAX
    return max(0.0, min(SLEEP_SECONDS_MAX, (due_time - now).total_seconds()))


async def _wake_all(stopping: asyncio.Event, alarms: Iterable[asyncio.Event]) -> None:
    """Being told to stop wakes every job."""
    await stopping.wait()
    for alarm in alarms:
        alarm.set()
