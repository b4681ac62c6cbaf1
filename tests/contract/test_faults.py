"""A fault of ours is told in fixed words, and the log has the rest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from infrastructure.database.engine import create_engine
from infrastructure.rpc.contract import Method
from infrastructure.rpc.served import ServedService, served
from localmesh.postgres import ROLE, Postgres
from server.interception.refusals import STATUS_BYTES_MAX
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import create_database, running_mesh, settings_for
from tests.support.messages import a_full_request
from tests.support.postgres import free_port
from tests.support.refusals import refusal_by

SECRET = "whsec_demo_0123456789"
HEALTH = METHODS["/guerdon.edge.v1.EdgeService/GetHealth"]
READINESS = METHODS["/guerdon.edge.v1.EdgeService/GetReadiness"]
NEEDS_NO_DATABASE = {HEALTH.path, READINESS.path}
FAULTS: dict[str, Callable[[], Exception]] = {
    "bug": lambda: AssertionError(SECRET),
    "foreign": lambda: RuntimeError(f"cannot read {SECRET}"),
    "chained": lambda: KeyError(SECRET),
    "group": lambda: ExceptionGroup(SECRET, [ValueError(SECRET)]),
    "huge": lambda: RuntimeError(SECRET * 10_000),
}


class BrokenServicer(edge_pb2_grpc.EdgeServiceServicer):
    """Fails in a way that nobody foresaw."""

    def __init__(self, fault: Callable[[], Exception]) -> None:
        self._fault = fault

    async def GetHealth(self, request: edge_pb2.GetHealthRequest, context: Any) -> Any:  # noqa: N802
        raise self._fault()

    async def GetReadiness(self, request: edge_pb2.GetReadinessRequest, context: Any) -> Any:  # noqa: N802
        raise self._fault()


def broken_edge(fault: Callable[[], Exception]) -> ServedService:
    return served(BrokenServicer(fault), edge_pb2.DESCRIPTOR.services_by_name["EdgeService"])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_an_unforeseen_fault_keeps_its_words_to_itself(
    fault: Callable[[], Exception], contract_engine: AsyncEngine, contract_url: str
) -> None:
    """gRPC would send the exception's text, and with it whatever the exception holds."""
    settings = settings_for(contract_url)
    with structlog.testing.capture_logs() as logged:
        async with running_mesh(contract_engine, settings, replaced=[broken_edge(fault)]) as mesh:
            told = await refusal_by(mesh.call(HEALTH, edge_pb2.GetHealthRequest()))

    assert told.code is grpc.StatusCode.INTERNAL
    assert (told.domain, told.reason) == ("mesh.guerdon", "INTERNAL")
    assert told.message == "The server failed. The log has more under the incident's id."
    assert told.bytes_sent < STATUS_BYTES_MAX
    [entry] = [entry for entry in logged if entry["event"] == "call failed"]
    assert told.metadata == {"incident": entry["incident"]}
    assert SECRET not in str(told)
    assert SECRET not in str(logged)


@pytest.fixture(scope="module")
async def away_engine() -> Any:
    """A pool whose database is not there."""
    url = f"postgresql+asyncpg://nobody:{SECRET}@127.0.0.1:{free_port()}/nothing"
    engine = create_engine(url, pool_size=1, application_name="contract, away")
    yield engine
    await engine.dispose()


@pytest.mark.parametrize(
    "method",
    [method for method in METHODS.values() if method.path not in NEEDS_NO_DATABASE],
    ids=method_ids,
)
async def test_without_its_database_a_method_is_unavailable(
    method: Method, away_engine: AsyncEngine, contract_url: str
) -> None:
    """Callers would give up where they should try again."""
    async with running_mesh(away_engine, settings_for(contract_url)) as mesh:
        proof = (("x-hmac-sha256", "c2lnbmVk"),) if "Receive" in method.path else None
        told = await refusal_by(mesh.call(method, a_full_request(method), proof=proof))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert told.reason == "DEPENDENCY_AWAY"
    assert SECRET not in str(told)


async def readiness(engine: AsyncEngine, url: str) -> Any:
    async with running_mesh(engine, settings_for(url)) as mesh:
        assert (await mesh.call(HEALTH, edge_pb2.GetHealthRequest())).status == "ok"
        told = await refusal_by(mesh.call(READINESS, edge_pb2.GetReadinessRequest()))
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert (told.domain, told.reason) == ("mesh.guerdon", "NOT_READY")
    return told


async def test_without_its_database_a_process_is_alive_and_not_ready(
    away_engine: AsyncEngine, contract_url: str
) -> None:
    """It would be killed for its database's fault, or be sent calls that it cannot answer."""
    told = await readiness(away_engine, contract_url)
    assert told.metadata == {"dependency": "database"}


async def test_with_an_empty_database_a_process_is_not_ready(postgres: Postgres) -> None:
    """A process that is started before the migration would be sent calls."""
    url = await create_database(postgres, "contract_empty")
    engine = create_engine(url, pool_size=1, application_name="contract, empty")
    try:
        told = await readiness(engine, url)
    finally:
        await engine.dispose()
    assert told.metadata == {"dependency": "schema"}
    assert "guerdon migrate" in told.message


async def test_with_another_schema_a_process_is_not_ready(postgres: Postgres) -> None:
    """Statements would meet tables of another version."""
    url = await create_database(postgres, "contract_older")
    engine = create_engine(url, pool_size=1, application_name="contract, older")
    connection = await postgres.connect("contract_older")
    try:
        await connection.execute("CREATE TABLE alembic_version (version_num text)")
        assert (await readiness(engine, url)).metadata == {"dependency": "rights"}
        await connection.execute(f"GRANT SELECT ON alembic_version TO {ROLE}")
        assert (await readiness(engine, url)).metadata == {"dependency": "schema"}
        await connection.execute("INSERT INTO alembic_version VALUES ('0000')")
        assert (await readiness(engine, url)).metadata == {"dependency": "schema"}
    finally:
        await connection.close()
        await engine.dispose()


async def test_without_such_a_database_a_process_is_not_ready(postgres: Postgres) -> None:
    """A misspelt setting would look like a fault of the code."""
    url = postgres.url_of("no_such_database")
    engine = create_engine(url, pool_size=1, application_name="contract, misspelt")
    try:
        told = await readiness(engine, url)
    finally:
        await engine.dispose()
    assert told.metadata == {"dependency": "database"}


async def test_a_database_that_does_not_answer_is_given_a_second() -> None:
    """Whoever asks for readiness would wait as long as the database does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql+asyncpg://nobody:nothing@127.0.0.1:{port}/nothing"
        engine = create_engine(url, pool_size=1, application_name="contract, silent")
        try:
            async with asyncio.timeout(5):
                told = await readiness(engine, url)
        finally:
            await engine.dispose()
    assert told.message == "The database does not answer within a second."
