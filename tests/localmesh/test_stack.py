from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from cryptography.fernet import Fernet

from localmesh.errors import StackError
from localmesh.postgres import Postgres
from localmesh.progress import SilentReporter
from localmesh.stack import Stack
from localmesh.state import AlreadyRunningError
from server.running_stack import read_running
from tests.support.files import ROOT
from tests.support.processes import is_alive

STAND_IN = (sys.executable, str(ROOT / "tests" / "support" / "stand_in_server.py"))


@asynccontextmanager
async def a_stack(
    folder: Path, *, environment: Mapping[str, str] = {}, said: list[str] | None = None
) -> AsyncIterator[Stack]:
    """Everything but Envoy, with stand-ins for our own program."""
    lines: list[str] = [] if said is None else said
    async with Stack(
        folder=folder,
        environment={"PATH": os.defpath, **environment},
        reporter=SilentReporter(lines.append),
        durable=False,
        with_envoy=False,
        program=STAND_IN,
    ) as stack:
        yield stack


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def fetch(stack: Stack, statement: str) -> object:
    connection = await asyncpg.connect(stack.owner_url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_stack_starts_is_found_and_stops(tmp_path: Path) -> None:
    """`make up` would leave processes behind, or nobody would find the mesh it started."""
    async with a_stack(tmp_path / "folder") as stack:
        pids = {name: process.pid for name, process in stack.processes.items()}
        state = tmp_path / "folder" / "stack.json"
        recorded = json.loads(state.read_text())

        assert list(pids) == ["postgres", "serve-1", "serve-2", "work"]
        assert all(is_alive(pid) for pid in pids.values())
        assert (recorded["pids"], recorded["pid"]) == (pids, os.getpid())
        assert recorded["mesh_address"] == stack.mesh_address
        assert mode_of(state) == 0o600

    assert not any(is_alive(pid) for pid in pids.values())
    assert not state.exists()


async def test_a_second_start_keeps_data_and_secrets(tmp_path: Path) -> None:
    """Every start would lose what merchants stored, or the key that opens it."""
    async with a_stack(tmp_path) as stack:
        token = stack.service_token
        await fetch(stack, "CREATE TABLE kept (number integer)")
    key = (tmp_path / "secrets.key").read_text()

    async with a_stack(tmp_path) as stack:
        assert stack.service_token == token
        assert await fetch(stack, "SELECT count(*) FROM kept") == 0

    assert (tmp_path / "secrets.key").read_text() == key
    Fernet(key.strip())
    assert len(token) >= 43
    secret = ("secrets.key", "service.token", "postgres/password", "postgres/role.password")
    assert {mode_of(tmp_path / name) for name in secret} == {0o600}
    assert "//guerdon_app:" in stack.database_url, "processes would own what they work on"
    assert "//guerdon:" in stack.owner_url


async def test_a_folder_has_one_stack(tmp_path: Path) -> None:
    """A second `make up` would fail in some part with a message that explains nothing."""
    async with a_stack(tmp_path) as stack:
        with pytest.raises(AlreadyRunningError, match=rf"already runs .*kill {os.getpid()}"):
            async with a_stack(tmp_path):
                pass

        assert is_alive(stack.processes["postgres"].pid)
        assert (tmp_path / "stack.json").exists(), "the second one removed the first one's state"


async def test_two_stacks_start_in_one_moment(tmp_path: Path) -> None:
    """Both would be given the usual ports, and one would fail as PostgreSQL cannot bind."""
    one, other = a_stack(tmp_path / "one"), a_stack(tmp_path / "other")
    started = await asyncio.gather(one.__aenter__(), other.__aenter__(), return_exceptions=True)
    try:
        assert all(isinstance(stack, Stack) for stack in started), started
        ports = [
            port for stack in started if isinstance(stack, Stack) for port in stack.ports.values()
        ]
        assert len(set(ports)) == len(ports)
    finally:
        for context, stack in zip((one, other), started, strict=True):
            if isinstance(stack, Stack):
                await context.__aexit__(None, None, None)


@pytest.mark.parametrize("part", ["migrate", "serve"])
async def test_a_part_that_cannot_start_ends_the_start_with_its_log(
    tmp_path: Path, part: str
) -> None:
    """Somebody new would see a mesh that never becomes ready, and not why."""
    with pytest.raises(StackError, match=f"{part} is told to fail"):
        async with a_stack(tmp_path, environment={"STAND_IN_FAILS": part}):
            pytest.fail("started")


async def test_a_killed_part_comes_back_and_the_state_is_renewed(tmp_path: Path) -> None:
    """A crash would need a person; and those who look for the part would find a dead pid."""
    said: list[str] = []
    async with a_stack(tmp_path, said=said) as stack:
        killed = stack.processes["serve-1"].pid
        os.kill(killed, signal.SIGKILL)
        await stack.until_ready("serve-1", other_than=killed)
        recorded = json.loads((tmp_path / "stack.json").read_text())

        assert recorded["pids"]["serve-1"] == stack.processes["serve-1"].pid != killed
        assert said[0].startswith("serve-1 ended unexpectedly (ended by SIGKILL)")


async def test_a_part_is_restarted_by_name(tmp_path: Path) -> None:
    """A test that takes the database away could not bring it back."""
    async with a_stack(tmp_path) as stack:
        before = stack.processes["postgres"].pid
        await stack.restart("postgres")

        assert stack.processes["postgres"].pid != before
        assert await fetch(stack, "SELECT 1") == 1


async def test_a_database_of_ones_own_is_used_and_not_started(
    tmp_path: Path, postgres: Postgres
) -> None:
    """Data would go to a database that nobody asked for."""
    async with a_stack(tmp_path, environment={"GUERDON_DATABASE_URL": postgres.url}) as stack:
        assert "postgres" not in stack.processes
        assert stack.database_url == postgres.url
        place = postgres.url.rpartition("@")[2]
        assert f"migrate runs on {place}" in (tmp_path / "logs" / "migrate.log").read_text()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgres://me:secret@127.0.0.1/mine", "GUERDON_DATABASE_URL"),
        (
            "postgresql+asyncpg://me:secret@127.0.0.1:1/mine",
            "The database cannot be reached: ECONNREFUSED: .* GUERDON_DATABASE_URL",
        ),
    ],
)
async def test_a_database_that_cannot_be_used_is_said_clearly(
    tmp_path: Path, url: str, problem: str
) -> None:
    """Somebody who mistypes a URL would read a page of our code."""
    with pytest.raises(StackError, match=problem) as refused:
        async with a_stack(tmp_path, environment={"GUERDON_DATABASE_URL": url}):
            pytest.fail("started")

    assert "secret" not in str(refused.value)


async def test_secrets_of_the_environment_win(tmp_path: Path, postgres: Postgres) -> None:
    """A mesh told its secrets would use others, and could not open its own data."""
    given = {
        "GUERDON_DATABASE_URL": postgres.url,
        "GUERDON_SERVICE_TOKEN": "t" * 43,
        "GUERDON_SECRETS_KEY": Fernet.generate_key().decode(),
    }
    async with a_stack(tmp_path, environment=given) as stack:
        assert stack.service_token == given["GUERDON_SERVICE_TOKEN"]

    assert not (tmp_path / "service.token").exists()
    assert not (tmp_path / "secrets.key").exists()


async def test_a_failure_shows_only_what_this_start_wrote(tmp_path: Path) -> None:
    """Somebody would mend yesterday's error."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "migrate.log").write_text("yesterday's error\n")

    with pytest.raises(StackError, match="migrate is told to fail") as refused:
        async with a_stack(tmp_path, environment={"STAND_IN_FAILS": "migrate"}):
            pytest.fail("started")

    assert "yesterday" not in str(refused.value)


async def test_a_folder_that_cannot_be_made_is_said_clearly(tmp_path: Path) -> None:
    """Somebody who mistypes a path would read a page of our code."""
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match=f"cannot run on {tmp_path / 'file' / 'folder'}"):
        async with a_stack(tmp_path / "file" / "folder"):
            pytest.fail("started")


def test_nothing_runs_where_nothing_was_started(tmp_path: Path) -> None:
    """The demo would talk to a mesh of yesterday."""
    assert read_running(tmp_path / "missing") is None

    (tmp_path / "stack.json").write_text('{"of": "another version"}')
    assert read_running(tmp_path) is None
