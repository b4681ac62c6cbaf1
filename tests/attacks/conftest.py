"""The whole mesh with the settings that it has by default, under attack."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import grpc
import httpx
import pytest

from localmesh.progress import SilentReporter
from localmesh.stack import Stack
from tests.attacks.callers import (
    Call,
    Calls,
    Memory,
    call_of_the_mesh,
    calls_of,
    memory_of,
    normal_client,
    quiet,
)
from tests.end_to_end.shop import open_shop


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    said: list[str] = []
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")
    }
    async with Stack(
        folder=tmp_path_factory.mktemp("attacked") / ".guerdon",
        environment={**environment, "GUERDON_DRAIN_SECONDS": "0.5"},
        reporter=SilentReporter(said.append),
        durable=False,
    ) as running:
        yield running


@pytest.fixture(scope="package")
async def mesh_call(stack: Stack) -> AsyncIterator[Call]:
    """What services do."""
    async with grpc.aio.insecure_channel(stack.mesh_address) as channel:
        yield call_of_the_mesh(channel)


@pytest.fixture(scope="package")
async def calls(stack: Stack, mesh_call: Call) -> AsyncIterator[list[Call]]:
    """What normal callers do, and services."""
    async with (
        normal_client(stack.public_url) as public,
        httpx.AsyncClient(base_url=stack.mesh_url) as mesh,
    ):
        yield [*calls_of(await open_shop(stack, public, mesh)), mesh_call]


@pytest.fixture(scope="package")
async def usual(calls: list[Call]) -> Calls:
    """How it is when nobody attacks."""
    return await quiet(calls)


@pytest.fixture
def memory(stack: Stack) -> Callable[[], Awaitable[Memory]]:
    """Looks at Envoy's memory."""
    return partial(memory_of, stack.admin_sockets["public"], stack.processes["envoy-public"].pid)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Shows a line of figures, of tests that pass as well."""

    def show(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return show
