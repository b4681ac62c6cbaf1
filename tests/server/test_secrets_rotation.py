"""The key that secrets are sealed with is replaced while shops go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.business.model import Platform
from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from infrastructure.database.engine import database_of
from infrastructure.database.sealing_key import add_fingerprint
from infrastructure.keys.secret_box import SecretBox
from localmesh.postgres import Postgres
from server.preflight import UnusableDatabaseError, require_usable
from server.wiring import sealing
from server.wiring.sealing import Rotation, rotate
from tests.support import typed
from tests.support.connections import holding
from tests.support.mesh import own_database, process_environment, running_mesh, settings_for, url_of
from tests.support.races import beside, until_awaited
from tests.support.rpc_shop import SIGNING_KEY, RpcShop, open_shop
from tests.support.sealed_shops import (
    BOTH,
    LOST,
    NEW,
    OLD,
    connected,
    ended,
    open_shops,
    sealed_with,
    set_key,
    started,
)
from vocabulary.ids import MerchantId

HOLD_MERCHANT = "SELECT FROM merchant WHERE merchant_id = :merchant_id FOR NO KEY UPDATE"

_numbers = count()


@pytest.fixture
async def engine(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A migrated database of the test's own."""
    async with own_database(postgres, pool_size=4) as engine:
        yield engine


async def test_the_old_key_can_go(engine: AsyncEngine) -> None:
    """A key that leaked could never be replaced."""
    await open_shops(engine, 3)

    code, said = await ended(engine, BOTH)

    assert code == 0, said
    assert "3 webhooks" in said
    assert await sealed_with(engine, NEW) == [True] * 6
    await require_usable(database_of(engine), SecretBox([NEW]))
    assert await rotate(database_of(engine), [NEW]) == Rotation(count=0, forgotten=0)
    assert "no process is connected" in said


async def test_nothing_is_sealed_that_a_process_cannot_read(engine: AsyncEngine) -> None:
    """Its shops' webhooks would be refused, and the operator told that the old key can go."""
    await open_shops(engine, 1)
    async with connected(engine, OLD), connected(engine, OLD, kind="work"):
        code, said = await ended(engine, BOTH)
        assert code == 1, said
        assert f"`serve {os.getpid()}@" in said
        assert "lack the first key of GUERDON_SECRETS_KEY" in said
        # Nor is the key noted: whoever has the old one alone goes on, and can be started again.
        await require_usable(database_of(engine), SecretBox([OLD]))

        # Also if somebody has noted it before they came.
        async with database_of(engine).transaction() as tx:
            await add_fingerprint(tx, SecretBox([NEW]).fingerprint)
        code, said = await ended(engine, BOTH)
        assert code == 1, said
        assert "lack the first key of GUERDON_SECRETS_KEY" in said

    assert await sealed_with(engine, OLD) == [True] * 2


async def test_a_process_that_would_seal_with_the_old_key_keeps_it(engine: AsyncEngine) -> None:
    """The operator would throw the old key away, and a shop set one that is sealed with it."""
    await open_shops(engine, 1)
    async with connected(engine, NEW, OLD), connected(engine, OLD, NEW, kind="work"):
        code, said = await ended(engine, BOTH)

    assert code == 1, said
    assert "No key can go yet" in said
    assert f"`work {os.getpid()}@" in said
    assert "`serve" not in said
    assert await sealed_with(engine, NEW) == [True] * 2
    with pytest.raises(UnusableDatabaseError):
        await require_usable(database_of(engine), SecretBox([NEW]))

    async with connected(engine, NEW, OLD), connected(engine, NEW, OLD, kind="work"):
        code, said = await ended(engine, BOTH)
    assert code == 0, said
    assert "Sealed again: the keys of 0 webhooks." in said
    assert "2 connected processes seal with the first one" in said


async def test_a_key_that_is_not_named_stops_it(engine: AsyncEngine) -> None:
    """Half of the shops would be refused with a key that the operator has thrown away."""
    await open_shops(engine, 1)

    code, said = await ended(engine, NEW)

    assert code == os.EX_CONFIG, said
    assert "GUERDON_SECRETS_KEY does not name" in said
    assert len(said.strip().splitlines()) == 1, said
    assert await sealed_with(engine, OLD) == [True] * 2


async def test_what_no_key_reads_is_told(engine: AsyncEngine) -> None:
    """The old key would be thrown away while somebody's secret is under another one."""
    lost, good = [*await open_shops(engine, 1, key=LOST), *await open_shops_beside(engine)]
    async with engine.begin() as connection:
        fingerprint = SecretBox([LOST]).fingerprint
        statement = text("DELETE FROM sealing_key WHERE fingerprint = :fingerprint")
        await connection.execute(statement, {"fingerprint": fingerprint})

    code, said = await ended(engine, BOTH)

    assert code == 1, said
    assert lost.merchant_id in said
    assert good.merchant_id not in said
    assert "Traceback" not in said
    assert sorted(await sealed_with(engine, NEW)) == [False, False, True, True]
    with pytest.raises(UnusableDatabaseError):
        await require_usable(database_of(engine), SecretBox([NEW]))


async def open_shops_beside(engine: AsyncEngine) -> list[RpcShop]:
    """Another shop, whose keys the process can read beside those that it cannot."""
    async with running_mesh(engine, settings_for(url_of(engine), SECRETS_KEY=OLD)) as mesh:
        shop = await open_shop(mesh)
    await set_key(engine, shop, f"{SIGNING_KEY}-newer", OLD)
    return [shop]


async def test_who_seals_with_the_old_key_meanwhile_is_seen(engine: AsyncEngine) -> None:
    """The key of a shop that set one at the wrong moment would be lost with the old key."""
    (shop,) = await open_shops(engine, 1)
    database = database_of(engine)
    business = BusinessService(merchants=MerchantRepository(), seal=SecretBox([OLD]))
    async with database.transaction() as tx:
        await business.set_webhook(
            tx,
            MerchantId(UUID(shop.merchant_id)),
            platform=Platform.CUSTOM,
            signing_key="set-while-it-is-rotated",
            now=datetime.now(UTC),
        )
        rotating = beside(rotate(database, [NEW, OLD]))
        await until_awaited(tx)

    done = await asyncio.wait_for(rotating, 10)

    assert done.forgotten == 1
    assert await sealed_with(engine, NEW) == [True] * 2


def after_each_round(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]
) -> None:
    """Has something happen between the last look at the keys and the end."""
    one_round = sealing._one_round  # noqa: SLF001 - the moment between two steps

    async def followed(*given: object) -> object:
        done = await one_round(*given)  # type: ignore[arg-type]
        await happens()
        return done

    monkeypatch.setattr(sealing, "_one_round", followed)


async def test_who_seals_between_the_last_look_and_the_end_is_seen(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All merchants were done, and then one of them set a key by a process with the old one."""
    (shop,) = await open_shops(engine, 1)
    rounds = count(1)

    async def set_once() -> None:
        if next(rounds) == 1:
            await set_key(engine, shop, "set-behind-its-back", OLD, NEW)

    after_each_round(monkeypatch, set_once)

    done = await rotate(database_of(engine), [NEW, OLD])

    assert next(rounds) == 3
    assert (done.count, done.forgotten) == (2, 1)
    assert await sealed_with(engine, NEW) == [True] * 2


async def test_a_process_that_goes_on_with_the_old_key_keeps_it(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator would be told that a key can go which is used again and again."""
    (shop,) = await open_shops(engine, 1)
    after_each_round(
        monkeypatch, lambda: set_key(engine, shop, f"set-again-{next(_numbers)}", OLD, NEW)
    )

    done = await rotate(database_of(engine), [NEW, OLD])

    assert done.forgotten is None
    with pytest.raises(UnusableDatabaseError):
        await require_usable(database_of(engine), SecretBox([NEW]))


async def test_who_seals_with_the_old_key_afterwards_is_remembered(engine: AsyncEngine) -> None:
    """A process that nobody restarted would seal what no other one can read."""
    (shop,) = await open_shops(engine, 1)
    assert "the keys of 1 webhook." in (await ended(engine, BOTH))[1]

    await set_key(engine, shop, "set-later", OLD, NEW)

    with pytest.raises(UnusableDatabaseError, match="does not name"):
        await require_usable(database_of(engine), SecretBox([NEW]))
    assert (await rotate(database_of(engine), [NEW, OLD])).forgotten == 1


@pytest.mark.timeout(120)
async def test_no_delivery_is_refused_while_it_is_killed_and_run_again(
    engine: AsyncEngine,
) -> None:
    """A shop's orders would be lost for as long as half of the keys are sealed anew."""
    shops = await open_shops(engine, 120)
    last = max(shop.merchant_id for shop in shops)
    delivered = 0
    async with running_mesh(engine, settings_for(url_of(engine), SECRETS_KEY=BOTH)) as mesh:
        serving = [RpcShop(mesh=mesh, merchant_id=shop.merchant_id) for shop in shops]
        stopping = asyncio.Event()

        async def deliver(own: list[RpcShop]) -> None:
            nonlocal delivered
            # Each shop once at least after the end.
            is_last = False
            while not is_last:
                is_last = stopping.is_set()
                for shop in own:
                    # Raises if it is refused: signed with the key before the last one.
                    await shop.order(f"order-{next(_numbers)}")
                    delivered += 1

        async with asyncio.TaskGroup() as tasks:
            for begin in range(3):
                tasks.create_task(deliver(serving[begin::3]))
            # What is held lets orders in, and keeps the second of two batches from being sealed.
            async with holding(engine, HOLD_MERCHANT, merchant_id=last):
                killed = await started(engine, BOTH)
                await until_some_are_sealed_again(engine)
                killed.send_signal(signal.SIGKILL)
                await killed.communicate()
            half_way = await sealed_with(engine, NEW)
            code, said = await ended(engine, BOTH)
            stopping.set()

    assert delivered
    assert 0 < sum(half_way) < len(half_way)
    assert code == 0, said
    assert await sealed_with(engine, NEW) == [True] * 240
    await require_usable(database_of(engine), SecretBox([NEW]))


async def until_some_are_sealed_again(engine: AsyncEngine) -> None:
    while not any(await sealed_with(engine, NEW)):  # noqa: ASYNC110 - the table says it
        await asyncio.sleep(0.005)


async def test_a_wrong_key_is_said() -> None:
    """A key that was cut off would end in a stack trace."""
    environment = process_environment("postgresql://nobody@127.0.0.1:1/none", SECRETS_KEY="short")

    done = await typed.ended("secrets", "rotate", environment=environment)

    assert done.code == os.EX_CONFIG, done
    assert "GUERDON_SECRETS_KEY" in done.problems
    assert "short" not in done.problems
