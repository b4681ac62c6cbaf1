"""The one place that builds things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infrastructure.database.clock import DatabaseClock
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from infrastructure.rpc.served import ServedService
from server.connected import process_label
from server.settings.process import Settings, Stage
from server.wiring.domains import Domains, build_domains
from server.wiring.flows import Flows, build_flows
from server.wiring.ids import TimedIds
from server.wiring.services import build_services

REWARD_BATCH_SIZE = 200
"""Short enough that whoever waits for the lane does not wait long: see decision 0002."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a process runs: services to answer with, flows to work with."""

    database: Database
    secrets: SecretBox
    clock: DatabaseClock
    domains: Domains
    flows: Flows
    services: Sequence[ServedService]


@asynccontextmanager
async def application(
    settings: Settings, *, name: str, limits: Limits
) -> AsyncIterator[Application]:
    """Builds the application and takes it down again. Opens no connection by itself."""
    secrets = SecretBox(settings.sealing_keys)
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application_name=process_label(name, secrets.fingerprints),
        limits=limits,
    )
    try:
        yield build(database_of(engine), settings)
    finally:
        await engine.dispose()


def build(database: Database, settings: Settings) -> Application:
    """Builds the application on a database."""
    secrets = SecretBox(settings.sealing_keys)
    clock = DatabaseClock()
    new_id = TimedIds(clock)
    domains = build_domains(secrets, rate_age_max=settings.rate_age_max)
    flows = build_flows(
        database,
        domains,
        secrets=secrets,
        clock=clock,
        new_id=new_id,
        accepts_tests=settings.stage is not Stage.PRODUCTION,
        accepts_referrer_client_ids=settings.accepts_referrer_client_ids,
        reward_batch_size=REWARD_BATCH_SIZE,
    )
    return Application(
        database=database,
        secrets=secrets,
        clock=clock,
        domains=domains,
        flows=flows,
        services=build_services(
            database, domains, flows, secrets=secrets, clock=clock, new_id=new_id
        ),
    )
