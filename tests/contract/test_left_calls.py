"""A call whose caller has gone comes to its end, and costs nobody a connection."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from guerdon.orchestration.v1 import arrival_pb2
from infrastructure.rpc.contract import Method
from server.interception import finishing
from server.interception.chain import Call
from server.interception.finishing import Finishing
from tests.support.contract import METHODS
from tests.support.mesh import Mesh, visitor
from tests.support.shop import a_shop

TRACK = "/guerdon.orchestration.v1.ArrivalService/TrackArrival"
_BACKENDS = text(
    """
    SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
)


async def backends(engine: AsyncEngine) -> list[int]:
    """The processes of PostgreSQL that others than this look are connected to."""
    async with engine.connect() as connection:
        found: list[int] = (await connection.execute(_BACKENDS)).scalar_one()
        return found


async def arrivals_of(engine: AsyncEngine, merchant_id: UUID) -> int:
    async with engine.connect() as connection:
        count: int = (
            await connection.execute(
                text("SELECT count(*) FROM touchpoint WHERE merchant_id = :merchant_id"),
                {"merchant_id": merchant_id},
            )
        ).scalar_one()
        return count


async def test_a_caller_who_goes_breaks_no_connection(
    mesh: Mesh, contract_engine: AsyncEngine
) -> None:
    """Some hundred a second would have every connection of the pool made anew, for everybody."""
    shop = await a_shop(mesh.application.database)
    request = arrival_pb2.TrackArrivalRequest(merchant_id=str(shop.merchant_id))
    holder = await contract_engine.connect()
    try:
        # Whoever arrives waits in the middle of its statement.
        await holder.execute(text("LOCK TABLE touchpoint IN ACCESS EXCLUSIVE MODE"))
        left = asyncio.create_task(mesh.call(METHODS[TRACK], request, proof=visitor(str(uuid4()))))
        await asyncio.sleep(0.3)
        before = await backends(contract_engine)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        await asyncio.sleep(0.2)
        assert await backends(contract_engine) == before
    finally:
        await holder.rollback()
        await holder.close()

    for _ in range(250):
        if await arrivals_of(contract_engine, shop.merchant_id):
            break
        await asyncio.sleep(0.02)
    assert await arrivals_of(contract_engine, shop.merchant_id) == 1


async def test_only_so_many_go_on_without_their_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that stands still would gather everybody who ever gave up waiting."""
    monkeypatch.setattr(finishing, "LEFT_MAX", 1)
    release, ended = asyncio.Event(), []

    async def proceed(_: Any, __: Any) -> Any:
        try:
            await release.wait()
        except asyncio.CancelledError:
            ended.append("broken off")
            raise
        ended.append("finished")

    method: Method = METHODS[TRACK]
    step = Finishing().wrap(method, proceed)
    calls = [
        asyncio.ensure_future(step(arrival_pb2.TrackArrivalRequest(), _a_call(method)))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0)
    assert ended == ["broken off", "broken off"]

    release.set()
    await asyncio.sleep(0.01)
    assert ended[-1] == "finished"


async def test_what_a_call_raises_reaches_its_caller() -> None:
    """A refusal would become a fault of ours."""

    async def proceed(_: Any, __: Any) -> Any:
        raise grpc.aio.AbortError

    method: Method = METHODS[TRACK]
    with pytest.raises(grpc.aio.AbortError):
        await Finishing().wrap(method, proceed)(arrival_pb2.TrackArrivalRequest(), _a_call(method))


def _a_call(method: Method) -> Call:
    return Call(method=method, headers={}, context=None)
