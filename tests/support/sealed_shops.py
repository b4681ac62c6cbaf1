"""Shops whose keys are sealed with a key of a test, and processes that have some keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.business.model import Platform
from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from infrastructure.database.engine import create_engine, database_of
from infrastructure.keys.secret_box import SecretBox
from server.connected import process_label
from server.preflight import require_usable
from tests.support import typed
from tests.support.mesh import process_environment, running_mesh, settings_for, url_of
from tests.support.rpc_shop import SIGNING_KEY, RpcShop, open_shop
from vocabulary.ids import MerchantId

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
BOTH = f"{NEW},{OLD}"


@asynccontextmanager
async def connected(
    engine: AsyncEngine, *keys: str, kind: str = "serve"
) -> AsyncIterator[AsyncEngine]:
    """A process with these keys, as far as others see it: its connection to the database."""
    label = process_label(kind, SecretBox(keys).fingerprints)
    own = create_engine(url_of(engine), pool_size=1, application_name=label)
    try:
        async with own.connect():
            pass
        yield own
    finally:
        await own.dispose()


async def open_shops(engine: AsyncEngine, number: int, *, key: str = OLD) -> list[RpcShop]:
    """Shops whose keys are sealed with one key, and each has a key before that."""
    await require_usable(database_of(engine), SecretBox([key]))
    async with running_mesh(engine, settings_for(url_of(engine), SECRETS_KEY=key)) as mesh:
        shops = [await open_shop(mesh) for _ in range(number)]
        for shop in shops:
            await set_key(engine, shop, f"{SIGNING_KEY}-newer", key)
    return shops


async def set_key(engine: AsyncEngine, shop: RpcShop, signing_key: str, *keys: str) -> None:
    business = BusinessService(merchants=MerchantRepository(), seal=SecretBox(keys))
    async with database_of(engine).transaction() as tx:
        await business.set_webhook(
            tx,
            MerchantId(UUID(shop.merchant_id)),
            platform=Platform.CUSTOM,
            signing_key=signing_key,
            now=datetime.now(UTC),
        )


async def sealed_with(engine: AsyncEngine, key: str) -> list[bool]:
    """Of each stored key, whether it can be read with this key alone."""
    box = SecretBox([key])
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT sealed_key FROM merchant_webhook UNION ALL"
                " SELECT previous_sealed_key FROM merchant_webhook"
            )
        )
        return [box.open_if_possible(sealed) is not None for (sealed,) in rows if sealed]


async def started(engine: AsyncEngine, keys: str) -> typed.Command:
    """`guerdon secrets rotate` with these keys."""
    environment = process_environment(url_of(engine), SECRETS_KEY=keys)
    return await typed.start("secrets", "rotate", environment=environment)


async def ended(engine: AsyncEngine, keys: str, *command: str, answer: str = "") -> tuple[int, str]:
    """How `guerdon secrets` ended, and all that it said. `answer` is what is typed."""
    environment = process_environment(url_of(engine), SECRETS_KEY=keys)
    words = ("secrets", *(command or ("rotate",)))
    done = await typed.ended(*words, environment=environment, answer=answer)
    return done.code, done.said
