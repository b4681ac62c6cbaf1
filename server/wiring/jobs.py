"""What processes do again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from domains.rewards.model.lane import WORKERS
from infrastructure.database.partitions import keep_months
from server.jobs.delivery_retries import DeliveryRetries
from server.jobs.housekeeping import Housekeeping
from server.jobs.listening import Listening
from server.jobs.rate_announcements import RateAnnouncements
from server.jobs.reward_work import RewardWork
from server.jobs.timekeeping import Synchronised, Timekeeping
from server.probes.keys import KeyWatch
from server.repeating import Job, Paced, Scheduled
from server.wiring.application import Application


def build_serve_jobs(
    app: Application, set_health: Callable[[bool], Awaitable[None]]
) -> Sequence[Scheduled]:
    """What a `serve` does beside its calls. `set_health` is what `KeyWatch` tells."""
    return (
        _timekeeping(app),
        Scheduled(
            name="keys",
            job=KeyWatch(database=app.database, secrets=app.secrets, tell=set_health),
        ),
    )


def build_work_jobs(
    app: Application, rewards: RewardWork, *, more_rewards: asyncio.Event, stopping: asyncio.Event
) -> Sequence[Scheduled]:
    """What a `work` does. `more_rewards` is set when there may be more for `rewards` to do."""
    return (
        _timekeeping(app),
        # A look follows the end of every lane, and costs the more the more merchants there are.
        Scheduled(name="rewards", job=Paced(rewards, stopping), alarm=more_rewards),
        Scheduled(name="retries", job=DeliveryRetries(flow=app.flows.purchase_webhook)),
        Scheduled(
            name="rates",
            job=RateAnnouncements(flow=app.flows.rate_announcement, released=more_rewards.set),
        ),
        Scheduled(name="housekeeping", job=_housekeeping(app)),
        Scheduled(name="keys", job=KeyWatch(database=app.database, secrets=app.secrets)),
        Scheduled(
            name="listening",
            job=Listening(
                database=app.database, channel=WORKERS, alarm=more_rewards, stopping=stopping
            ),
        ),
    )


def _timekeeping(app: Application) -> Scheduled:
    # Before anything is dated or decided by it.
    return Scheduled(
        name="clock", job=Timekeeping(clock=app.clock, database=app.database), comes_first=True
    )


def _housekeeping(app: Application) -> Job:
    housekeeping = Housekeeping(
        database=app.database,
        purchases=app.domains.purchases,
        deliveries=app.domains.deliveries,
        keep_months=keep_months,
        clock=app.clock,
    )
    # What is forgotten does not come back: not by the host's clock alone.
    return Synchronised(housekeeping, clock=app.clock, database=app.database)
