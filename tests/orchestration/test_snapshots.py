"""Reads of several statements are of one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domains.rewards.model import InteractionState
from infrastructure.database.transaction import Database, Transaction
from tests.support.books import events_of
from tests.support.connections import Holder
from tests.support.flows import flows_on
from tests.support.races import beside
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from vocabulary.ids import InteractionId

_COUNT = text("SELECT count(*) FROM merchant")


def working_inside(connection: AsyncConnection, shop: Shop) -> Shop:
    """The shop, worked on by a process whose every transaction is part of the connection's."""

    @asynccontextmanager
    async def savepoint() -> AsyncIterator[AsyncConnection]:
        async with connection.begin_nested():
            yield connection

    database = Database(begin=savepoint, read=savepoint, connect=savepoint)
    return shop.on(flows_on(database, clock=shop.flows.clock))


async def test_statements_of_one_read_see_one_moment(real_database: Database) -> None:
    """A page would be of one moment, and its count of another."""

    async def count(tx: Transaction) -> int:
        found: int = (await tx.execute(_COUNT)).scalar_one()
        return found

    async with real_database.reading() as tx:
        before = await count(tx)
        await beside(a_shop(real_database))
        assert await count(tx) == before

    # What `single` is not for.
    async with real_database.single() as tx:
        before = await count(tx)
        await beside(a_shop(real_database))
        assert await count(tx) == before + 1


@pytest.mark.parametrize("statement", ["DELETE FROM merchant", "SELECT FROM merchant FOR SHARE"])
async def test_a_read_neither_writes_nor_locks(real_database: Database, statement: str) -> None:
    """A read that is repeated would change something, or let others wait."""
    await a_shop(real_database)
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with real_database.reading() as tx:
            await tx.execute(text(statement))

    # The connection is as before when it is used again.
    async with real_database.transaction() as tx:
        await tx.execute(text("SELECT FROM merchant FOR SHARE"))


async def test_an_explanation_is_of_one_moment(
    engine: AsyncEngine, real_database: Database
) -> None:
    """An interaction would be shown as not decided yet, with what was decided about it."""
    shop = await a_shop(real_database, a_campaign())
    await shop.buy("buyer", "A-1")
    [bought] = await events_of(shop)
    bought_id = InteractionId(bought.interaction_id)

    async with engine.connect() as connection:
        await connection.execute(text("LOCK TABLE decision IN ACCESS EXCLUSIVE MODE"))
        explaining = beside(shop.flows.reward_reading.explain(shop.merchant_id, bought_id))
        # It has read the interaction, and waits before it reads what was decided.
        await Holder(connection).until_awaited()
        await working_inside(connection, shop).work()
        await connection.commit()
    explained = await explaining

    assert explained.view.interaction.state is InteractionState.PENDING
    assert (explained.decisions, explained.rewards) == ([], [])

    explained = await shop.flows.reward_reading.explain(shop.merchant_id, bought_id)
    assert explained.view.interaction.state is InteractionState.DECIDED
    assert (len(explained.decisions), len(explained.rewards)) == (1, 1)
