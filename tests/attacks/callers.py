"""Who uses the mesh as it is meant, while somebody else does not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import grpc
import httpx

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from localmesh.probes import read_admin
from tests.end_to_end.shop import Shop
from tests.support.files import ROOT

# Another address than the attackers'. All of 127.0.0.0/8 is this host.
NORMAL_ADDRESS = "127.0.0.2"
PAUSE_SECONDS = 0.03
DEADLINE_SECONDS = 5
QUIET_SECONDS = 4
ATTACK_SECONDS_MIN = 5
SLOWDOWN_MAX = 3
P99_SECONDS = 0.050
ALLOCATED_GROWTH_MAX = 1.2
RESIDENT_GROWTH_BYTES_MAX = 64 << 20
RECOVERY_SECONDS_MAX = 30
ATTACK_SECONDS_MAX = 60
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Call = Callable[[], Awaitable[str]]


@dataclass(slots=True, kw_only=True)
class Calls:
    """How long each call took, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def p99(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[int(len(ordered) * 0.99) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What Envoy has allocated, and what the system has given it."""

    allocated: int
    resident: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """What an attack did to others."""

    attacker: Counter[str]
    calls: Calls
    peak: Memory


def normal_client(base_url: str) -> httpx.AsyncClient:
    """A client of another address than that of the attackers."""
    transport = httpx.AsyncHTTPTransport(local_address=NORMAL_ADDRESS)
    return httpx.AsyncClient(base_url=base_url, transport=transport, timeout=DEADLINE_SECONDS)


def calls_of(shop: Shop) -> list[Call]:
    """An arrival and a delivery."""

    async def arrival() -> str:
        answer = await shop.public.post(
            "/user/track/arrival",
            json={"merchantId": shop.merchant_id},
            headers={"x-client-id": f"visitor-{uuid4()}"},
        )
        return "" if answer.status_code == 200 else f"arrival {answer.status_code} {answer.text}"

    async def delivery() -> str:
        answer = await shop.deliver(f"order-{uuid4()}")
        return "" if answer.status_code == 200 else f"delivery {answer.status_code} {answer.text}"

    return [arrival, delivery]


def call_of_the_mesh(channel: grpc.aio.Channel) -> Call:
    """By gRPC, with a deadline, as services call."""
    edge = edge_pb2_grpc.EdgeServiceStub(channel)

    async def of_the_mesh() -> str:
        await edge.GetReadiness(edge_pb2.GetReadinessRequest(), timeout=DEADLINE_SECONDS)
        return ""

    return of_the_mesh


@asynccontextmanager
async def calling(calls: list[Call]) -> AsyncIterator[Calls]:
    """Calls each again and again until the end of the context."""
    found = Calls()
    ending = asyncio.Event()

    async def again(call: Call) -> None:
        while not ending.is_set():
            start = time.monotonic()
            try:
                failure = await call()
            except (httpx.HTTPError, grpc.aio.AioRpcError) as problem:
                details = problem.details() if isinstance(problem, grpc.aio.AioRpcError) else ""
                failure = f"{getattr(call, '__name__', '')} {type(problem).__name__} {details}"
            found.seconds.append(time.monotonic() - start)
            if failure:
                found.failures[failure[:200]] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as running:
        for call in calls:
            running.create_task(again(call))
        try:
            yield found
        finally:
            ending.set()


async def quiet(calls: list[Call]) -> Calls:
    """How it is when nobody attacks. The first calls open connections and are not counted."""
    async with calling(calls):
        await asyncio.sleep(1)
    async with calling(calls) as found:
        await asyncio.sleep(QUIET_SECONDS)
    assert not found.failures, found.failures
    return found


@asynccontextmanager
async def attacking(name: str, target: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An attacker in a process of its own, which is ended with the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.attacks.attackers",
        name,
        target,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"},
        stdout=asyncio.subprocess.PIPE,
        # A stranger has a machine of its own; here it takes what is left of this one.
        preexec_fn=lambda: os.nice(19),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def outcome(attacker: asyncio.subprocess.Process) -> Counter[str]:
    """What an attacker says that came of it."""
    assert attacker.stdout is not None
    told = await asyncio.wait_for(attacker.stdout.readline(), ATTACK_SECONDS_MAX)
    assert told, "the attacker ended without a word"
    return Counter(json.loads(told))


async def memory_of(admin_socket: str, envoy_pid: int) -> Memory:
    """Envoy's memory, now."""
    _, body = await asyncio.to_thread(read_admin, Path(admin_socket), "/memory")
    told = json.loads(body)
    resident = int(Path(f"/proc/{envoy_pid}/statm").read_text().split()[1]) * PAGE_BYTES
    return Memory(allocated=int(told["allocated"]), resident=resident)


async def attacked(
    name: str, target: str, calls: list[Call], memory: Callable[[], Awaitable[Memory]]
) -> Harm:
    """Runs an attack while others call, and watches Envoy's memory."""
    seen = []

    async def watch() -> None:
        while True:
            seen.append(await memory())
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    try:
        # In this order: to start a process stops this one for as long as some calls take.
        async with attacking(name, target) as attacker, calling(calls) as found:
            start = time.monotonic()
            answers = await outcome(attacker)
            # What is left of it, and enough calls for a share of a hundredth.
            await asyncio.sleep(ATTACK_SECONDS_MIN - (time.monotonic() - start))
    finally:
        watching.cancel()
    peak = Memory(
        allocated=max(each.allocated for each in seen), resident=max(each.resident for each in seen)
    )
    return Harm(attacker=answers, calls=found, peak=peak)


async def recovered(before: Memory, memory: Callable[[], Awaitable[Memory]]) -> Memory:
    """Envoy's memory once it is back, or when there was time enough for that."""
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        now = await memory()
        if is_back(before, now) or time.monotonic() > deadline:
            return now
        await asyncio.sleep(0.5)


def is_back(before: Memory, now: Memory) -> bool:
    return (
        now.allocated <= before.allocated * ALLOCATED_GROWTH_MAX
        and now.resident <= before.resident + RESIDENT_GROWTH_BYTES_MAX
    )


def p99_max(usual: Calls) -> float:
    """How long one call of a hundred may take while somebody attacks."""
    return max(SLOWDOWN_MAX * usual.p99, P99_SECONDS)
