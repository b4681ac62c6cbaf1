"""Envoy's own pages: for whoever runs it, and only what tells."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from localmesh.probes import (
    connect_to_socket,
    problem_of_envoy,
    read_admin,
)
from server.edge.command_line import SOCKET_PATH_BYTES_MAX
from server.edge.settings import EdgeSettings
from tests.server.edge.backend import Backend, running_process
from tests.server.edge.running import DESCRIPTORS, Edge, running_edge, settings_for

NOBODY = 65534
CONNECT = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except OSError as problem:
    print(type(problem).__name__)
"""


@pytest.fixture(scope="module")
async def administered(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    backend = Backend(DESCRIPTORS.read_bytes())
    folder = tmp_path_factory.mktemp("envoy")
    async with running_process(backend) as process:
        settings = settings_for([process.port])
        sockets = {
            "public": replace(settings.public, admin_socket=str(folder / "public.sock")),
            "mesh": replace(settings.mesh, admin_socket=str(folder / "mesh.sock")),
        }
        administered = EdgeSettings(**{**dict(settings), **sockets})
        async with running_edge(administered, backend, folder) as edge:
            yield edge


def socket_of(edge: Edge) -> Path:
    return Path(edge.settings.public.admin_socket)


async def ask(edge: Edge, verb: str, path: str) -> int:
    status, _ = await asyncio.to_thread(read_admin, socket_of(edge), path, verb=verb)
    return status


@pytest.mark.parametrize(
    "path",
    [
        "/ready",
        "/clusters?format=json",
        "/config_dump",
        "/listeners",
        "/memory",
        "/server_info",
        "/stats?filter=http",
        "/stats/prometheus",
    ],
)
async def test_what_tells_is_answered(administered: Edge, path: str) -> None:
    """An operator could not find out what is wrong."""
    assert await ask(administered, "GET", path) == 200


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/logging?level=trace"),
        ("POST", "/logging?http=trace"),
        ("GET", "/logging"),
        ("POST", "/stats/../logging?level=trace"),
        ("POST", "/quitquitquit"),
        ("POST", "/healthcheck/fail"),
        ("POST", "/drain_listeners"),
        ("POST", "/runtime_modify?http.max_requests_per_io_cycle=100"),
        ("POST", "/reset_counters"),
        ("POST", "/cpuprofiler?enable=y"),
        ("GET", "/heap_dump"),
        ("GET", "/"),
    ],
)
async def test_what_changes_something_is_refused(administered: Edge, verb: str, path: str) -> None:
    """Whoever reaches the socket could have every token written down, or end Envoy."""
    assert await ask(administered, verb, path) == 403
    assert await ask(administered, "GET", "/ready") == 200


async def test_nobody_else_reaches_the_socket(administered: Edge) -> None:
    """Any user of the host could look in, and any page that somebody has open there."""
    path = socket_of(administered)
    # Whatever the folder's mode is: the socket's own decides.
    path.parent.chmod(0o755)

    assert path.stat().st_mode & 0o777 == 0o600
    assert await connects(path, user=os.geteuid()) == ""
    # Only root can be somebody else.
    others = [NOBODY] if os.geteuid() == 0 else []
    assert ["PermissionError"] * len(others) == [await connects(path, user=each) for each in others]


async def connects(path: Path, *, user: int) -> str:
    """What a user's connection to a socket fails with."""
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-S", "-c", CONNECT, path.name, str(user)],
        capture_output=True,
        text=True,
        check=True,
        cwd=path.parent,
    )
    return ran.stdout.strip()


async def test_a_socket_with_a_long_path_is_reached(administered: Edge, tmp_path: Path) -> None:
    """A stack in a deep folder would never be ready."""
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    # The kernel follows it: what counts is the length of what is asked for.
    (deep / "admin.sock").symlink_to(socket_of(administered))
    assert len(str(deep / "admin.sock")) > SOCKET_PATH_BYTES_MAX

    connection = await asyncio.to_thread(connect_to_socket, deep / "admin.sock")
    connection.close()
    [(_, port)] = administered.settings.endpoints
    assert await asyncio.to_thread(problem_of_envoy, deep / "admin.sock", port) == ""


async def test_nobody_there_is_said_with_the_place(tmp_path: Path) -> None:
    """Whoever waits for Envoy would not know where it was looked for."""
    told = await asyncio.to_thread(problem_of_envoy, tmp_path / "none.sock", 1)

    assert "none.sock" in told
    assert "No such file" in told
