"""Each line of a log alone names what went wrong, and holds nothing that anybody sent."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import grpc
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from guerdon.business.v1 import business_pb2
from guerdon.edge.v1 import edge_pb2
from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.ports import LOOPBACK
from localmesh.postgres import Postgres
from server.causes import cause_of
from server.repeating import Scheduled, once
from tests.orchestration.test_reward_faults import a_busy_shop
from tests.support import typed
from tests.support.jobs import Doing
from tests.support.mesh import (
    SERVICE_TOKEN,
    Mesh,
    create_database,
    own_database,
    process_environment,
    running_mesh,
    settings_for,
    url_of,
)
from tests.support.postgres import free_port

SECRET = "what-somebody-sent"
Failing = Callable[[AsyncEngine], Awaitable[object]]


@pytest.fixture
async def one_table(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A database without a schema, with one small table."""
    url = await create_database(postgres, f"causes_{uuid4().hex}")
    made = create_engine(url, pool_size=3, application_name="causes")
    try:
        async with made.begin() as connection:
            await connection.execute(
                text("CREATE TABLE shop (name text CONSTRAINT one_name UNIQUE, number int)")
            )
            await connection.execute(
                text("INSERT INTO shop VALUES (:a, 1), ('b', 2)"), {"a": SECRET}
            )
        yield made
    finally:
        await made.dispose()


async def line_of(failing: Callable[[], Awaitable[object]]) -> dict[str, str]:
    """What the log says when a job of a process fails so."""

    with capture_logs() as lines:
        await once(Scheduled(name="job", job=Doing(failing)))
    [line] = lines
    assert SECRET not in json.dumps(line)
    return {key: str(value) for key, value in line.items() if key != "stack"}


async def run(engine: AsyncEngine, *statements: str, **parameters: object) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement), parameters)


async def away(_: AsyncEngine) -> None:
    """Nobody listens there."""
    url = f"postgresql+asyncpg://nobody:{SECRET}@{LOOPBACK}:{free_port()}/none"
    elsewhere = create_engine(url, pool_size=1, application_name="causes")
    try:
        await run(elsewhere, "SELECT 1")
    finally:
        await elsewhere.dispose()


async def wrong_password(engine: AsyncEngine) -> None:
    url = make_url(url_of(engine)).set(password=SECRET)
    elsewhere = create_engine(
        url.render_as_string(hide_password=False), pool_size=1, application_name="causes"
    )
    try:
        await run(elsewhere, "SELECT 1")
    finally:
        await elsewhere.dispose()


async def no_right(engine: AsyncEngine) -> None:
    role = f"looks_{uuid4().hex}"
    await run(engine, f"CREATE ROLE {role}")
    try:
        await run(engine, f"SET LOCAL ROLE {role}", "INSERT INTO shop VALUES (:v, 3)", v=SECRET)
    finally:
        await run(engine, f"DROP ROLE {role}")


async def disk_full(engine: AsyncEngine) -> None:
    """The file of one table is a device that is always full."""
    async with engine.begin() as connection:
        # Of a temporary table, whose file no checkpoint asks for.
        await connection.execute(text("CREATE TEMPORARY TABLE long (words text)"))
        place = "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('long')"
        file = Path((await connection.execute(text(place))).scalar_one())
        file.unlink()
        file.symlink_to("/dev/full")
        await connection.execute(text("INSERT INTO long VALUES (:a)"), {"a": SECRET})


async def lock_timeout(engine: AsyncEngine) -> None:
    async with engine.begin() as holder:
        await holder.execute(text("LOCK TABLE shop"))
        await run(engine, "SET LOCAL lock_timeout = '50ms'", "UPDATE shop SET number = 3")


async def statement_timeout(engine: AsyncEngine) -> None:
    await run(engine, "SET LOCAL statement_timeout = '50ms'", "SELECT pg_sleep(5)")


async def deadlock(engine: AsyncEngine) -> None:
    both = asyncio.Barrier(2)

    async def take(first: int, second: int) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
            update = text("UPDATE shop SET number = number WHERE number = :number")
            await connection.execute(update, {"number": first})
            await both.wait()
            await connection.execute(update, {"number": second})

    results = await asyncio.gather(take(1, 2), take(2, 1), return_exceptions=True)
    [failed] = [each for each in results if isinstance(each, BaseException)]
    raise failed


async def taken_name(engine: AsyncEngine) -> None:
    await run(engine, "INSERT INTO shop VALUES (:name, 3)", name=SECRET)


async def taken_name_by_copy(engine: AsyncEngine) -> None:
    async with database_of(engine).transaction() as tx:
        await tx.copy("shop", ["name", "number"], [(SECRET, 3)])


async def missing_table(engine: AsyncEngine) -> None:
    await run(engine, "SELECT * FROM merchant WHERE name = :name", name=SECRET)


async def missing_column(engine: AsyncEngine) -> None:
    await run(engine, "SELECT share_id FROM shop WHERE name = :name", name=SECRET)


async def bad_value(engine: AsyncEngine) -> None:
    await run(engine, "SELECT CAST(CAST(:v AS text) AS uuid)", v=f'{SECRET}" "{SECRET}')


async def bad_argument(engine: AsyncEngine) -> None:
    await run(engine, "SELECT CAST(:v AS integer)", v=SECRET)


async def port_taken(_: AsyncEngine) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        await asyncio.start_server(lambda *_: None, LOOPBACK, listener.getsockname()[1])


async def file_missing(_: AsyncEngine) -> None:
    Path(f"/nowhere/{SECRET}").read_bytes()


async def call_refused(_: AsyncEngine) -> None:
    async with grpc.aio.insecure_channel(f"{LOOPBACK}:{free_port()}") as channel:
        call = channel.unary_unary("/a/b", request_serializer=bytes, response_deserializer=bytes)
        await call(b"", metadata=(("x-client-id", SECRET),), timeout=5)


FAILURES: dict[str, tuple[Failing, dict[str, str]]] = {
    "database away": (
        away,
        {"event": "dependency away", "cause": "ECONNREFUSED: Connection refused"},
    ),
    "wrong password": (
        wrong_password,
        {
            "event": "dependency away",
            "sqlstate": "28P01",
            "cause": 'password authentication failed for user "guerdon"',
        },
    ),
    "no right": (
        no_right,
        {
            "sqlstate": "42501",
            "cause": "permission denied for table shop",
        },
    ),
    "disk full": (
        disk_full,
        {
            "event": "dependency away",
            "sqlstate": "53100",
            "cause": 'could not extend file "base/…": No space left on device',
        },
    ),
    "lock timeout": (
        lock_timeout,
        {"sqlstate": "55P03", "cause": "canceling statement due to lock timeout"},
    ),
    "statement timeout": (
        statement_timeout,
        {"sqlstate": "57014", "cause": "canceling statement due to statement timeout"},
    ),
    "deadlock": (deadlock, {"sqlstate": "40P01", "cause": "deadlock detected"}),
    "unique violation": (
        taken_name,
        {
            "sqlstate": "23505",
            "cause": 'duplicate key value violates unique constraint "one_name"',
            "constraint": "one_name",
            "table": "shop",
        },
    ),
    "unique violation of COPY": (
        taken_name_by_copy,
        {"fault": "UniqueViolationError", "sqlstate": "23505", "constraint": "one_name"},
    ),
    "missing table": (
        missing_table,
        {"sqlstate": "42P01", "cause": 'relation "merchant" does not exist'},
    ),
    "missing column": (
        missing_column,
        {"sqlstate": "42703", "cause": 'column "share_id" does not exist'},
    ),
    "bad value": (
        bad_value,
        {"sqlstate": "22P02", "cause": "invalid input syntax for type uuid: …"},
    ),
    "bad argument": (bad_argument, {"cause": "invalid input for query argument $1"}),
    "port taken": (port_taken, {"cause": "EADDRINUSE: Address already in use"}),
    "file missing": (file_missing, {"cause": "ENOENT: No such file or directory"}),
    "call refused": (call_refused, {"cause": "UNAVAILABLE"}),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_the_line_alone_names_the_cause(one_table: AsyncEngine, name: str) -> None:
    """An operator would have to find out by trying what PostgreSQL or the kernel has said."""
    failing, expected = FAILURES[name]

    line = await line_of(lambda: failing(one_table))

    told = {key: re.sub(r"base/[0-9/_t]+", "base/…", line.get(key, "")) for key in expected}
    assert told == expected


async def test_what_is_raised_from_another_is_told_with_its_place() -> None:
    """The line would name our own word for it, and the frames of that."""

    async def failing() -> None:
        try:
            {"a": 1}[SECRET]
        except KeyError as missing:
            raise LookupError(SECRET) from missing

    line = await line_of(failing)

    assert line["fault"] == "LookupError"
    assert line["caused_by"].startswith("KeyError at ")
    assert "test_log_causes.py:" in line["caused_by"]


def test_an_endless_chain_of_exceptions_ends() -> None:
    """One line would take for ever."""
    first, second = ValueError(SECRET), KeyError(SECRET)
    first.__cause__, second.__cause__ = second, first

    assert cause_of(first)["fault"] == "ValueError"


@pytest.mark.parametrize(
    ("message", "state", "told"),
    [
        (f'value "{SECRET}" is out of range', "22003", "value … is out of range"),
        (
            'invalid byte sequence for encoding "UTF8": 0x77 0x68',
            "22021",
            "invalid byte sequence for encoding …: …",
        ),
        (f'a trigger says "{SECRET}"', "P0001", "a trigger says …"),
        ("x" * 1000, "42601", "x" * 300),
        ("two\nlines", "42601", "two lines"),
    ],
)
def test_values_in_primary_messages_are_left_out(message: str, state: str, told: str) -> None:
    """In some classes PostgreSQL quotes what it was given."""
    said = asyncpg.PostgresError.new({"S": "ERROR", "C": state, "M": message, "D": SECRET})

    assert cause_of(DBAPIError(SECRET, {}, said))["cause"] == told


async def test_a_refusal_names_the_fields_that_it_names_to_the_caller(postgres: Postgres) -> None:
    """Of a shop's refused calls an operator would know that there were some."""
    async with (
        own_database(postgres, pool_size=2) as engine,
        running_mesh(engine, settings_for(url_of(engine))) as mesh,
    ):
        merchant = business_pb2.Merchant(name=SECRET, domain=f"{SECRET}/x")
        request = business_pb2.CreateMerchantRequest(merchant=merchant)
        line = await refused_line(mesh, "BusinessService/CreateMerchant", request)

    assert line["code"] == "INVALID_ARGUMENT"
    assert line["reason"]
    assert line["fields"] == ["merchant.reward_token"]


async def refused_line(
    mesh: Mesh, method: str, request: business_pb2.CreateMerchantRequest
) -> dict[str, object]:
    with capture_logs() as lines, pytest.raises(grpc.aio.AioRpcError):
        await mesh.call(f"guerdon.business.v1.{method}", request)
    [line] = [each for each in lines if each["event"] == "call"]
    assert SECRET not in json.dumps(lines)
    assert SERVICE_TOKEN not in json.dumps(lines)
    return dict(line)


async def test_why_a_process_is_not_ready_stands_in_its_line() -> None:
    """The database is away, and the line would say that somebody asked."""
    url = f"postgresql+asyncpg://nobody:{SECRET}@{LOOPBACK}:{free_port()}/none"
    engine = create_engine(url, pool_size=1, application_name="causes")
    try:
        async with running_mesh(engine, settings_for(url)) as mesh:
            with capture_logs() as lines, pytest.raises(grpc.aio.AioRpcError):
                await mesh.call(
                    "guerdon.edge.v1.EdgeService/GetReadiness", edge_pb2.GetReadinessRequest()
                )
    finally:
        await engine.dispose()

    [line] = [each for each in lines if each["event"] == "call"]
    assert (line["reason"], line["cause"]) == ("NOT_READY", "ECONNREFUSED: Connection refused")
    assert SECRET not in json.dumps(lines)


async def test_a_rule_that_cannot_be_read_is_named(database: Database) -> None:
    """A merchant's rewards would stand still, and nobody know because of which campaign."""
    shop = await a_busy_shop(database)
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE campaign_rule_version SET rule = rule - 'rewards'"))
        campaign = (await tx.execute(text("SELECT campaign_id FROM campaign"))).scalar_one()

    with capture_logs() as lines:
        await shop.flows.reward_work.run()
        await shop.flows.reward_work.finish()

    [line] = [each for each in lines if each["event"] == "lane set back"]
    assert line["campaign_id"] == str(campaign)
    assert line["rule_version"] == "1"
    assert line["cause"].startswith("the stored rule cannot be read: KeyError at ")


async def test_a_port_that_is_taken_is_named_by_the_process(postgres: Postgres) -> None:
    """A server would end, and its log say nothing of where it wanted to listen."""
    async with own_database(postgres, pool_size=1) as engine:
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = str(listener.getsockname()[1])
            environment = process_environment(url_of(engine), LISTEN_PORT=port)
            ended = await typed.ended("serve", environment=environment)

    assert ended.code == 1
    assert f":{port} cannot be listened at: it is taken" in ended.problems.splitlines()[-1]
