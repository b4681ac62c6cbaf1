"""The rows of a server process: round trip, start-up, memory; beside a bare one."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from localmesh.ports import PortWish, choose_ports

CALLS = 3_000
STARTS = 3
START_LIMIT_SECONDS = 20
_RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """A figure of ours and of a bare server's, in the same unit."""

    name: str
    unit: str
    ours: float
    floor: float


async def process_rows(environment: dict[str, str]) -> list[ProcessRow]:
    """Measures a `serve` process and a bare one."""
    ours = [sys.executable, "-m", "server", "serve"]
    bare = [sys.executable, str(Path(__file__).parent / "bare_server.py")]
    started, trips, memory = await _measure(ours, environment, _ours)
    bare_started, bare_trips, bare_memory = await _measure(bare, environment, _bare)
    return [
        ProcessRow(name="unary gRPC round trip", unit="µs", ours=trips, floor=bare_trips),
        ProcessRow(name="start to first answer", unit="s", ours=started, floor=bare_started),
        ProcessRow(name="memory when idle", unit="MB", ours=memory, floor=bare_memory),
    ]


Trip = Callable[[grpc.aio.Channel], Awaitable[object]]


async def _measure(
    command: list[str], environment: dict[str, str], trip: Trip
) -> tuple[float, float, float]:
    starts: list[float] = []
    for attempt in range(STARTS):
        port = choose_ports([PortWish(port=0)])[0]
        begin = time.perf_counter()
        arguments = [*command, str(port)] if command[-1] != "serve" else command
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env={
                **os.environ,
                **environment,
                "GUERDON_LISTEN_PORT": str(port),
                "GUERDON_DRAIN_SECONDS": "0",
            },
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            async with grpc.aio.insecure_channel(
                f"127.0.0.1:{port}",
                options=[
                    ("grpc.initial_reconnect_backoff_ms", 20),
                    ("grpc.max_reconnect_backoff_ms", 50),
                ],
            ) as channel:
                async with asyncio.timeout(START_LIMIT_SECONDS):
                    await channel.channel_ready()
                    await trip(channel)
                starts.append(time.perf_counter() - begin)
                if attempt == STARTS - 1:
                    memory = _memory(process.pid)
                    return min(starts), await _round_trip(channel, trip), memory
        finally:
            process.terminate()
            await process.wait()
    raise AssertionError


async def _round_trip(channel: grpc.aio.Channel, trip: Trip) -> float:
    spans = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        await trip(channel)
        spans.append(time.perf_counter() - begin)
    spans.sort()
    return spans[len(spans) // 2] * 1e6


async def _ours(channel: grpc.aio.Channel) -> object:
    return await edge_pb2_grpc.EdgeServiceStub(channel).GetHealth(edge_pb2.GetHealthRequest())


async def _bare(channel: grpc.aio.Channel) -> object:
    method: Any = channel.unary_unary("/bare.Echo/Echo")
    return await method(b"")


def _memory(pid: int) -> float:
    found = _RESIDENT.search(Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
