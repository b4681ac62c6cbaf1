"""A process that lacks a key says so while it runs, and a key that is lost is no dead end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from guerdon.edge.v1 import edge_pb2
from infrastructure.database.engine import database_of
from infrastructure.database.sealing_key import add_fingerprint, forget_other_fingerprints
from infrastructure.keys.secret_box import SecretBox
from localmesh.postgres import Postgres
from server.preflight import UnusableDatabaseError, require_usable, until_usable
from server.probes.keys import WATCHED_EVERY, KeyWatch
from tests.support import typed
from tests.support.mesh import own_database, process_environment, running_mesh, settings_for, url_of
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import SIGNING_KEY, RpcShop, open_shop
from tests.support.sealed_shops import (
    LOST,
    NEW,
    OLD,
    connected,
    ended,
    open_shops,
    sealed_with,
    set_key,
)

READINESS = "guerdon.edge.v1.EdgeService/GetReadiness"


@pytest.fixture
async def engine(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A migrated database of the test's own."""
    async with own_database(postgres, pool_size=4) as engine:
        yield engine


async def note(engine: AsyncEngine, key: str) -> None:
    """As a process does that seals with this key."""
    async with database_of(engine).transaction() as tx:
        await add_fingerprint(tx, SecretBox([key]).fingerprint)


async def forget_all_but(engine: AsyncEngine, key: str) -> None:
    async with database_of(engine).transaction() as tx:
        await forget_other_fingerprints(tx, [SecretBox([key]).fingerprint])


@asynccontextmanager
async def a_process(engine: AsyncEngine, command: str, keys: str) -> AsyncIterator[Any]:
    """`guerdon serve` or `work` with these keys; its log's lines are read one by one."""
    environment = process_environment(url_of(engine), SECRETS_KEY=keys)
    process = await typed.start(command, environment=environment)
    try:
        yield process.stdout
    finally:
        process.terminate()
        await process.communicate()


async def until_said(log: asyncio.StreamReader, event: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            line: dict[str, Any] = json.loads(await log.readline())
            if line["event"] == event:
                return line


@pytest.mark.timeout(120)
async def test_a_process_that_runs_says_that_it_lacks_a_key(engine: AsyncEngine) -> None:
    """Webhooks were refused one by one, and health and status said that all was well."""
    await require_usable(database_of(engine), SecretBox([OLD]))
    async with a_process(engine, "serve", OLD) as log, a_process(engine, "work", OLD) as work_log:
        port = (await until_said(log, "serving"))["port"]
        await until_said(work_log, "working")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await health_of(channel) == health_pb2.HealthCheckResponse.SERVING
            async with connected(engine, NEW, OLD):
                await note(engine, NEW)
                said = await until_said(log, "a key is missing")
                assert "GUERDON_SECRETS_KEY does not name" in said["problem"]
                assert said["level"] == "error"
                await until_said(work_log, "a key is missing")
                # Another server has both.
                assert await health_of(channel) == health_pb2.HealthCheckResponse.NOT_SERVING
            await forget_all_but(engine, OLD)
            await until_said(log, "no key is missing any more")
            assert await health_of(channel) == health_pb2.HealthCheckResponse.SERVING


async def health_of(channel: grpc.aio.Channel) -> int:
    ask = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    found: health_pb2.HealthCheckResponse = await ask(health_pb2.HealthCheckRequest(), timeout=5)
    return found.status


async def test_a_key_that_all_lack_stops_nothing_else(engine: AsyncEngine) -> None:
    """One mistake of an operator would end every call, arrivals and claims as well."""
    told: list[bool] = []

    async def tell(is_passed_over: bool) -> None:
        told.append(is_passed_over)

    await note(engine, NEW)
    async with connected(engine, OLD) as own:
        watch = KeyWatch(database=database_of(own), secrets=SecretBox([OLD]), tell=tell)
        with capture_logs() as lines:
            for _ in range(3):
                assert await watch.run() == WATCHED_EVERY
        async with connected(engine, NEW, kind="work"):
            await watch.run()
        async with connected(engine, NEW, OLD):
            await watch.run()

    assert told == [False, False, False, False, True]
    # Once, not at each look.
    assert [line["event"] for line in lines] == ["a key is missing"]


async def test_a_webhook_that_cannot_be_verified_is_asked_for_again(engine: AsyncEngine) -> None:
    """A shop would read of a failed server, and an operator of an exception without a cause."""
    (shop,) = await open_shops(engine, 1)
    async with running_mesh(engine, settings_for(url_of(engine), SECRETS_KEY=NEW)) as mesh:
        blind = RpcShop(mesh=mesh, merchant_id=shop.merchant_id)
        with capture_logs() as lines:
            refused = await refusal_by(blind.order("A-1"))
        not_ready = await refusal_by(mesh.call(READINESS, edge_pb2.GetReadinessRequest()))

    assert refused.code is grpc.StatusCode.UNAVAILABLE
    assert refused.reason == "SIGNING_KEY_UNREADABLE"
    assert refused.metadata == {"merchant_id": shop.merchant_id}
    [line] = [each for each in lines if each["event"] == "call postponed"]
    assert "GUERDON_SECRETS_KEY" in line["cause"]
    assert (not_ready.reason, not_ready.metadata) == ("NOT_READY", {"dependency": "secrets"})
    assert "GUERDON_SECRETS_KEY" in not_ready.message


async def test_who_seals_with_a_new_key_waits_until_all_can_read_it(engine: AsyncEngine) -> None:
    """Keys that shops set by a process that was started too early, others could not read."""
    await require_usable(database_of(engine), SecretBox([OLD]))
    stopping = asyncio.Event()
    async with connected(engine, OLD):
        with capture_logs() as lines:
            waiting = asyncio.create_task(
                until_usable(database_of(engine), SecretBox([NEW, OLD]), stopping)
            )
            async with asyncio.timeout(5):
                while not lines:  # noqa: ASYNC110 - the log says it
                    await asyncio.sleep(0.01)
        assert not waiting.done()
        assert "first start every process with that key behind" in lines[0]["problem"]
        # Whoever has the old one alone can be started again meanwhile.
        await require_usable(database_of(engine), SecretBox([OLD]))
    async with connected(engine, OLD, NEW), asyncio.timeout(5):
        await waiting
    with pytest.raises(UnusableDatabaseError):
        await require_usable(database_of(engine), SecretBox([OLD]))


async def test_a_lost_key_is_given_up(engine: AsyncEngine) -> None:
    """Nothing would ever start again without editing the database by hand."""
    lost, *_ = await open_shops(engine, 3, key=LOST)
    async with running_mesh(engine, settings_for(url_of(engine), SECRETS_KEY=NEW)) as mesh:
        good = await open_shop(mesh)
        code, said = await ended(engine, NEW, "forget-lost", answer="n\n")
        assert code == 1, said
        assert "signing keys of 3 shops" in said
        assert "UpdateWebhook" in said
        assert sum(await sealed_with(engine, LOST)) == 6

        code, said = await ended(engine, NEW, "forget-lost", "--yes")
        assert code == 0, said
        assert said.count(lost.merchant_id) == 2
        assert good.merchant_id not in said
        await require_usable(database_of(engine), SecretBox([NEW]))

        served = RpcShop(mesh=mesh, merchant_id=lost.merchant_id)
        refused = await refusal_by(served.order("A-1"))
        assert refused.reason == "WEBHOOK_NOT_FOUND"
        assert "Its owner sets one with UpdateWebhook" in refused.message
        await set_key(engine, lost, SIGNING_KEY, NEW)
        await served.order("A-1")
        await good.order("A-1")
    assert "Nothing is lost" in (await ended(engine, NEW, "forget-lost"))[1]


async def test_a_key_before_the_present_one_is_given_up_by_itself(engine: AsyncEngine) -> None:
    """A shop would lose the key that it signs with for one that it signs with no more."""
    (shop,) = await open_shops(engine, 1, key=LOST)
    await set_key(engine, shop, SIGNING_KEY, NEW, LOST)

    code, said = await ended(engine, NEW, "forget-lost", answer="y\n")

    assert code == 0, said
    assert "signing keys of 0 shops" in said
    assert "Of 1 other it cannot read the key before" in said
    async with running_mesh(engine, settings_for(url_of(engine), SECRETS_KEY=NEW)) as mesh:
        await RpcShop(mesh=mesh, merchant_id=shop.merchant_id).order("A-1")


async def test_a_key_that_somebody_has_is_not_given_up(engine: AsyncEngine) -> None:
    """An operator with the wrong settings in the terminal would cut all shops off."""
    await open_shops(engine, 1)
    async with connected(engine, NEW, OLD):
        code, said = await ended(engine, NEW, "forget-lost", "--yes")

    assert code == 1, said
    assert "so it is not lost" in said
    assert await sealed_with(engine, OLD) == [True] * 2
    with pytest.raises(UnusableDatabaseError):
        await require_usable(database_of(engine), SecretBox([NEW]))
