"""The wheel and what it needs, without its extras: a server has neither Envoy nor pictures.

It stands in a virtual environment of its own, and every command is typed in an empty folder.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import grpc
import pytest

from guerdon.business.v1 import business_pb2
from guerdon.edge.v1 import edge_pb2
from infrastructure.database.schema import expected_revision
from localmesh.postgres import Postgres
from tests.server.edge.running import free_ports
from tests.support.installed import Environment, install
from tests.support.mesh import SERVICE, create_database, environment_for

BYTES_MAX = 200_000_000
COMMANDS = [
    *("serve", "work", "migrate", "merchant", "campaign", "rate", "ledger", "up", "envoy"),
    *("status", "delivery", "lane", "secrets"),
]
READY_SECONDS_MAX = 60


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install guerdon` makes."""
    return install(tmp_path_factory.mktemp("plain"))


def test_it_is_small(plain: Environment) -> None:
    """A server would carry a plotting library, and what is unsafe in it."""
    assert 50_000_000 < plain.size < BYTES_MAX


def test_it_is_what_was_installed(plain: Environment) -> None:
    """All that follows would be told of the checkout."""
    program = "import guerdon.edge.v1.edge_pb2 as e, server; print(server.__file__, e.__file__)"
    told = subprocess.run(
        [plain.programs / "python", "-c", program],
        cwd=plain.elsewhere,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(plain.folder)) for path in told.stdout.split()), told.stdout


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("up",), "embedded"),
        (("demo",), "demo"),
        (("envoy", "configure", "here", "--server", "10.0.0.7:50051"), "envoy"),
    ],
    ids=["up", "demo", "envoy"],
)
def test_what_needs_an_extra_says_which(
    plain: Environment, words: tuple[str, ...], extra: str
) -> None:
    """A stack trace names a module, not what to install."""
    code, said = plain.said(*words)

    assert code == 1, said
    assert f"pip install 'guerdon[{extra}]'" in said
    assert len(said.strip().splitlines()) == 1, said


def test_other_commands_import_what_they_use(plain: Environment) -> None:
    """One import of an extra at the top of a file, and no server starts any more."""
    program = f"""
from click.testing import CliRunner
from server.__main__ import main
for name in {COMMANDS}:
    told = CliRunner().invoke(main, [name, "--help"])
    assert told.exit_code == 0, (name, told.output, told.exception)
    assert "Usage" in told.output, name
from server import serving, working
"""
    done = subprocess.run(
        [plain.programs / "python", "-c", program],
        cwd=plain.elsewhere,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_version_is_told(plain: Environment) -> None:
    """Whoever reports a fault is asked for it."""
    code, said = plain.said("--version")

    assert code == 0, said
    assert importlib.metadata.version("guerdon") in said


@asynccontextmanager
async def running(
    plain: Environment, command: str, settings: dict[str, str]
) -> AsyncIterator[subprocess.Popen[str]]:
    """A process of a deployment. Told to stop at the end, which it does in peace."""
    with plain.start(command, settings=settings) as process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            _, problems = await asyncio.to_thread(process.communicate, timeout=READY_SECONDS_MAX)
            assert process.returncode == 0, problems
        finally:
            process.kill()


@pytest.mark.timeout(120)
async def test_a_database_is_migrated_and_served(plain: Environment, postgres: Postgres) -> None:
    """Whoever installs the package would find that it is half of one."""
    url = await create_database(postgres, f"own_{uuid4().hex}")
    [port] = free_ports(1)
    settings = environment_for(url, LISTEN_PORT=str(port), DRAIN_SECONDS="0.2")

    code, said = await asyncio.to_thread(plain.said, "migrate", settings=settings)
    assert code == 0, said
    async with (
        running(plain, "work", settings),
        running(plain, "serve", settings),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        ready = channel.unary_unary(
            "/guerdon.edge.v1.EdgeService/GetReadiness",
            request_serializer=edge_pb2.GetReadinessRequest.SerializeToString,
            response_deserializer=edge_pb2.GetReadinessResponse.FromString,
        )
        await ready(edge_pb2.GetReadinessRequest(), timeout=READY_SECONDS_MAX, wait_for_ready=True)
        listed = channel.unary_unary(
            "/guerdon.business.v1.BusinessService/ListMerchants",
            request_serializer=business_pb2.ListMerchantsRequest.SerializeToString,
            response_deserializer=business_pb2.ListMerchantsResponse.FromString,
        )
        answer = await listed(business_pb2.ListMerchantsRequest(), metadata=SERVICE)
        assert list(answer.merchants) == []
        told = await asyncio.to_thread(plain.said, "status", "--json", settings=settings)
    status = json.loads(told[1])
    assert status["database"]["revision"] == expected_revision()
    assert {each["kind"] for each in status["processes"]} == {"serve", "work"}
