"""Connections on which nothing is said, where few files may be open."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from http.client import HTTPException
from pathlib import Path

import grpc
import httpx
import pytest

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from localmesh.probes import read_admin
from server.running_stack import RunningStack, read_running
from tests.attacks.callers import (
    DEADLINE_SECONDS,
    Call,
    attacking,
    calling,
    normal_client,
    outcome,
    p99_max,
    quiet,
)
from tests.server.edge.raw_http import ask, request
from tests.support.files import ROOT

FILES = 1024
ATTACKERS = 4
IDLE_SECONDS = 60
# As long as the other attacks last.
WATCHED_SECONDS_MIN = 10
START_SECONDS_MAX = 60


def few_files() -> None:
    """A hard limit: nobody may raise it again."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@asynccontextmanager
async def stack_with_few_files(folder: Path) -> AsyncIterator[RunningStack]:
    """`guerdon up` in a process that may open 1,024 files and no more."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "server", "up", "--folder", str(folder), "--no-durable", "--quiet"),
        cwd=ROOT,
        env={**environment, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"},
        stdout=DEVNULL,
        stdin=DEVNULL,
        preexec_fn=few_files,
    )
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while (running := await asyncio.to_thread(read_running, folder)) is None:
            assert process.returncode is None, f"`up` ended with {process.returncode}"
            assert time.monotonic() < deadline, "`up` did not start in time"
            await asyncio.sleep(0.3)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def calls_on(
    stack: RunningStack, public: httpx.AsyncClient, channel: grpc.aio.Channel
) -> list[Call]:
    """On the mesh, on Envoy's own pages, and on a public connection that was open before."""
    edge = edge_pb2_grpc.EdgeServiceStub(channel)
    admin = Path(stack.admin_sockets["public"])

    async def of_the_mesh() -> str:
        await edge.GetReadiness(edge_pb2.GetReadinessRequest(), timeout=DEADLINE_SECONDS)
        return ""

    async def new_on_the_mesh() -> str:
        return await _failure_anew(stack.mesh_url, "/health")

    async def of_an_operator() -> str:
        try:
            status, _ = await asyncio.to_thread(read_admin, admin, "/memory")
        except (OSError, HTTPException) as problem:
            return f"/memory {type(problem).__name__}"
        return "" if status == 200 else f"/memory {status}"

    async def with_an_open_connection() -> str:
        # Refused by the edge itself, so that no limit of a method is used up.
        answer = await public.get("/user/nothing")
        return "" if answer.status_code == 404 else f"public {answer.status_code} {answer.text}"

    return [of_the_mesh, new_on_the_mesh, of_an_operator, with_an_open_connection]


async def _failure_anew(url: str, path: str) -> str:
    """What is wrong with the answer over a new connection."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await ask(url.removeprefix("http://"), request("GET", path))
    except (OSError, TimeoutError, IndexError) as problem:
        # IndexError: the connection was closed without an answer.
        return f"{url}{path} {type(problem).__name__}"
    return "" if answer.status == 200 else f"{url}{path} {answer.status}"


@pytest.mark.timeout(170)
async def test_idle_connections_keep_out_nobody_who_is_in(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """A thousand connections, which cost a stranger nothing, would silence every listener."""
    async with (
        stack_with_few_files(tmp_path / ".guerdon") as stack,
        normal_client(stack.public_url) as public,
        grpc.aio.insecure_channel(stack.mesh_address) as channel,
    ):
        calls = calls_on(stack, public, channel)
        usual = await quiet(calls)
        target = stack.public_url.removeprefix("http://")
        async with AsyncExitStack() as attackers:
            running = [
                await attackers.enter_async_context(attacking("idle", target))
                for _ in range(ATTACKERS)
            ]
            found = await attackers.enter_async_context(calling(calls))
            opened = sum([(await outcome(each))["opened"] for each in running])
            start = time.monotonic()
            is_kept_out = bool(await _failure_anew(stack.public_url, "/health"))
            while await _failure_anew(stack.public_url, "/health"):
                assert time.monotonic() - start < IDLE_SECONDS + 5, found.failures
                await asyncio.sleep(0.5)
            seconds = time.monotonic() - start
            # Enough calls for a share of a hundredth, however soon that was.
            await asyncio.sleep(WATCHED_SECONDS_MIN - seconds)

    told = (
        f"idle: {opened} connections opened; {len(found.seconds)} normal calls, "
        f"{found.failures.total()} failed, p99 {found.p99 * 1000:.0f} ms (quiet "
        f"{usual.p99 * 1000:.0f} ms); new public ones served again after {seconds:.0f} s"
    )
    tell(told)
    assert opened >= FILES, told
    # Otherwise the attack was none.
    assert is_kept_out, told
    assert not found.failures, (told, found.failures)
    assert found.p99 < p99_max(usual), told
