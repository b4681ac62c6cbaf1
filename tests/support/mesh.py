"""A server with every service on a database of a test, and a client of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
from cryptography.fernet import Fernet
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import OVERALL_HEALTH
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.roles import grant_rights
from infrastructure.database.schema import migrate
from infrastructure.rpc.caller import CallerKind
from infrastructure.rpc.contract import Method
from infrastructure.rpc.served import ServedService
from localmesh.postgres import ROLE, Postgres
from server.serving import build_server
from server.settings.group import read
from server.settings.process import Settings
from server.tables import EVERY_TABLE
from server.wiring import Application, build
from tests.support.contract import METHODS
from tests.support.roles import role_engine

SERVICE_TOKEN = "service-token-of-the-tests-only!"
CLIENT_ID = "4b1c2f0a-6a0e-4d0f-9d5b-0f5f6e7a8b9c"
CALL_SECONDS_MAX = 20
RUNNING_POOL_SIZE = 12
SECRETS_KEY = Fernet.generate_key().decode()

Proof = tuple[tuple[str, str], ...]

SERVICE: Proof = (("x-service-auth", SERVICE_TOKEN),)
NOBODY: Proof = ()


def visitor(client_id: str = CLIENT_ID) -> Proof:
    """What a browser shows."""
    return (("x-client-id", client_id),)


def proof_for(method: Method) -> Proof:
    """A proof that the method accepts."""
    if CallerKind.SERVICE in method.callers:
        return SERVICE
    return visitor() if CallerKind.VISITOR in method.callers else NOBODY


def settings_for(database_url: str, **changed: str) -> Settings:
    """Settings of a server on a database; `changed` by their names without the prefix."""
    return read(Settings, environment_for(database_url, **changed))


def environment_for(database_url: str, **changed: str) -> dict[str, str]:
    """The variables that a server process reads."""
    values = {
        "DATABASE_URL": database_url,
        "SERVICE_TOKEN": SERVICE_TOKEN,
        "SECRETS_KEY": SECRETS_KEY,
        "LISTEN_PORT": "0",
        "DRAIN_SECONDS": "0",
        **changed,
    }
    return {f"GUERDON_{name}": value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """A running server, its port on this host, and a channel to it."""

    application: Application
    port: int
    channel: grpc.aio.Channel

    async def call(
        self, method: Method | str, request: Message, *, proof: Proof | None = None
    ) -> Any:
        """Calls a method, named like `guerdon.edge.v1.EdgeService/GetHealth`.

        Without a proof, with one that the method accepts.
        """
        if isinstance(method, str):
            method = METHODS[f"/{method}"]
        answer = await self.call_raw(method, request.SerializeToString(), proof=proof)
        return method.response_class.FromString(answer)

    async def call_raw(
        self, method: Method, request: bytes, *, proof: Proof | None = None
    ) -> bytes:
        """Calls a method; bytes as they travel."""
        send = self.channel.unary_unary(
            method.path, request_serializer=bytes, response_deserializer=bytes
        )
        metadata = proof_for(method) if proof is None else proof
        answer: bytes = await send(request, metadata=metadata, timeout=CALL_SECONDS_MAX)
        return answer


@asynccontextmanager
async def running_mesh(
    engine: AsyncEngine,
    settings: Settings,
    *,
    replaced: Sequence[ServedService] = (),
) -> AsyncIterator[Mesh]:
    """A server on a free port of this host. `replaced` are served in place of the usual ones.

    It works as the role that processes work as, on connections of its own.
    """
    pool = role_engine(engine, pool_size=RUNNING_POOL_SIZE)
    application = build(database_of(pool), settings)
    usual = {each.name: each for each in application.services}
    services = usual | {each.name: each for each in replaced}
    server, health = build_server([*services.values()], settings)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await health.set(OVERALL_HEALTH, health_pb2.HealthCheckResponse.SERVING)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Mesh(application=application, port=port, channel=channel)
    finally:
        await server.stop(None)
        await pool.dispose()


def process_environment(database_url: str, **changed: str) -> dict[str, str]:
    """All variables of a process that a test starts: this one's, and only the test's settings."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")}
    return ours | environment_for(database_url, **changed)


def url_of(engine: AsyncEngine) -> str:
    """Where its database is, the password included."""
    return engine.url.render_as_string(hide_password=False)


@asynccontextmanager
async def own_database(postgres: Postgres, *, pool_size: int) -> AsyncIterator[AsyncEngine]:
    """A migrated database that no other test sees."""
    url = await create_database(postgres, f"own_{uuid4().hex}", template=await _migrated(postgres))
    engine = create_engine(url, pool_size=pool_size, application_name="tests")
    try:
        yield engine
    finally:
        await engine.dispose()


async def _migrated(postgres: Postgres) -> str:
    """The database that others are copied from: migrating takes ten times as long."""
    name = "migrated"
    connection = await postgres.connect("postgres")
    try:
        found = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
    finally:
        await connection.close()
    if not found:
        engine = create_engine(
            await create_database(postgres, name), pool_size=1, application_name="tests"
        )
        await migrate_with_role(engine)
        await engine.dispose()
    return name


async def migrate_with_role(engine: AsyncEngine) -> None:
    """As `guerdon migrate` does it, with the role that processes work as."""
    await migrate(engine)
    await grant_rights(engine, ROLE, EVERY_TABLE)


async def create_database(postgres: Postgres, name: str, *, template: str = "template1") -> str:
    """Makes a database, an empty one or a copy, and says where it is."""
    connection = await postgres.connect("postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()
    return postgres.url_of(name)
