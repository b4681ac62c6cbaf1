"""The worker process: reward work, retries, housekeeping, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta

import structlog

from infrastructure.database.engine import Limits
from server.jobs.delivery_retries import MERCHANTS_MAX
from server.jobs.reward_work import LANES_MAX, RewardWork
from server.preflight import until_usable_at
from server.repeating import run_all, run_first
from server.serving import stop_signal
from server.settings.process import Settings
from server.wiring import application
from server.wiring.jobs import build_work_jobs

COLLECTOR_THRESHOLDS = (100_000, 50, 50)

JOBS_MAX = 7
CONNECTIONS = LANES_MAX + MERCHANTS_MAX + JOBS_MAX
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
        more_rewards = asyncio.Event()
        rewards = RewardWork(flow=app.flows.reward, clock=app.clock, woken=more_rewards.set)
        jobs = build_work_jobs(app, rewards, more_rewards=more_rewards, stopping=stopping)
        assert len(jobs) <= JOBS_MAX, "each job may need a connection"
        await run_first(jobs)
        _log.info("working")
        await run_all(jobs, stopping)
        await rewards.finish()
        _log.info("stopped")
