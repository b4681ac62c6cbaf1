"""A real Envoy in front of servers of a test."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import warnings
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from infrastructure.rpc.rate_class import RateClass
from localmesh.ports import PortWish, choose_ports
from server.edge.rate_limit import RateLimit
from server.edge.settings import EdgeSettings, ListenerSettings
from tests.server.edge.backend import Backend

with warnings.catch_warnings():
    # Envoy's generated types are written in a way that pydantic will drop one day.
    warnings.simplefilter("ignore", DeprecationWarning)
    from server.edge.bootstrap import bootstrap_json, build_bootstrap
    from server.edge.cluster import DOORS, Door

ROOT = Path(__file__).resolve().parents[3]
DESCRIPTORS = ROOT / "envoy" / "descriptors.binpb"
ENVOYS_COPY = ROOT / "server" / "edge" / "edge.binpb"
READY_SECONDS_MAX = 15
POLL_SECONDS = 0.02
DASHBOARD_ORIGIN = "https://dash.example"
CLIENT_ID_ALIAS = "x-visitor"
# Tests call from one address, faster than a stranger may.
NO_ADDRESS_LIMITS = {rate_class: RateLimit(per_second=9999, burst=9999) for rate_class in RateClass}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Both Envoys, with the server behind them."""

    settings: EdgeSettings
    backend: Backend
    public: httpx.AsyncClient
    mesh: httpx.AsyncClient
    processes: Sequence[Process]
    folder: Path

    @property
    def log(self) -> str:
        """What both have written so far."""
        logs = sorted(self.folder.glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    async def until(self, status: int) -> None:
        """Waits until both listeners answer as one does whose `/health` has this status.

        Each has its own connections to the server, and finds out for itself whether it is there.
        """
        deadline = monotonic() + READY_SECONDS_MAX
        while not await self._answers(status):
            assert {each.returncode for each in self.processes} == {None}, self.log
            assert monotonic() < deadline, self.log
            await asyncio.sleep(POLL_SECONDS)

    async def _answers(self, status: int) -> bool:
        # The public one second, which may be asked a few times only, and says nothing else then.
        if await _status(self.mesh, "/health") != status:
            return False
        public = await _status(self.public, "/business/merchant/m-1")
        if public in {None, 429}:
            return False
        # A server of the project's own refuses the public call, having taken it.
        return (public == 503) == (status == 503)

    @property
    def public_target(self) -> str:
        return f"{self.settings.public.host}:{self.settings.public.port}"

    @property
    def mesh_target(self) -> str:
        return f"{self.settings.mesh.host}:{self.settings.mesh.port}"


async def native_refusal(
    target: str, path: str, *, message: bytes = b""
) -> tuple[grpc.StatusCode, str]:
    """The code and the reason that a native gRPC call is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(target, path, message=message)
    status: Any = rpc_status.from_call(refused.value)  # type: ignore[arg-type]  # it serves
    assert status is not None, refused.value
    assert status.message
    info = error_details_pb2.ErrorInfo()
    [detail] = status.details
    assert detail.Unpack(info)
    assert info.domain == "mesh.guerdon"
    return refused.value.code(), info.reason


async def call(
    target: str,
    path: str,
    *,
    message: bytes = b"",
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Calls a method by native gRPC."""
    async with grpc.aio.insecure_channel(target) as channel:
        method = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        return await method(message, metadata=tuple(metadata.items()), timeout=5)


async def status_of(
    target: str, path: str, metadata: Mapping[str, str] = MappingProxyType({})
) -> tuple[grpc.StatusCode, str]:
    """The status and its message that a native gRPC call ends with."""
    try:
        await call(target, path, metadata=metadata)
    except grpc.aio.AioRpcError as refused:
        return refused.code(), refused.details() or ""
    return grpc.StatusCode.OK, ""


def reason_of(response: httpx.Response) -> str:
    """The reason of an answer of Envoy's own, once its shape is found right."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"code", "message", "details"}
    assert isinstance(body["code"], int)
    assert body["message"]
    [info] = body["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["domain"] == "mesh.guerdon"
    return str(info["reason"])


def envoy_command(*arguments: str) -> list[str]:
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    binary = shutil.which("envoy", path=os.pathsep.join(folders))
    assert binary, "envoy is not installed: install the extra named embedded"
    level = () if "--log-level" in arguments else ("--log-level", "warning")
    return [binary, *level, *arguments]


def envoy_environment() -> dict[str, str]:
    # With the project's roots on the path, its folder envoy/ could hide Envoy's own package.
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@asynccontextmanager
async def running_envoy(
    name: str, bootstrap: str, folder: Path, arguments: Sequence[str] = ()
) -> AsyncIterator[Process]:
    """An Envoy with this configuration; its log goes to the folder.

    Servers of other tests run in this process, so nothing here waits without letting them answer.
    """
    config = folder / f"{name}.json"
    config.write_text(bootstrap)
    options = ("--disable-hot-restart", "--concurrency", "1", "--file-flush-interval-msec", "200")
    with (folder / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *envoy_command("--config-path", str(config), *options, *arguments),
            cwd=ROOT,
            env=envoy_environment(),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def running_edge(
    settings: EdgeSettings,
    backend: Backend,
    folder: Path,
    *,
    ready_status: int = 200,
    change: Callable[[str], str] = str,
    arguments: Sequence[str] = (),
) -> AsyncIterator[Edge]:
    """Both Envoys with these settings, once they answer `/health` with the status.

    `change` may rewrite a configuration's text; `arguments` are further ones of Envoy.
    """
    public = f"http://{settings.public.host}:{settings.public.port}"
    mesh = f"http://{settings.mesh.host}:{settings.mesh.port}"

    # Made before any is started: meanwhile the server in this process answers no health check.
    texts = {door.name: change(bootstrap_of(settings, door)) for door in DOORS}

    async with (
        AsyncExitStack() as stack,
        httpx.AsyncClient(base_url=public, trust_env=False) as public_client,
        httpx.AsyncClient(base_url=mesh, trust_env=False) as mesh_client,
    ):
        edge = Edge(
            settings=settings,
            backend=backend,
            public=public_client,
            mesh=mesh_client,
            processes=[
                await stack.enter_async_context(running_envoy(name, text, folder, arguments))
                for name, text in texts.items()
            ],
            folder=folder,
        )
        await edge.until(ready_status)
        yield edge


_texts: dict[str, str] = {}


def bootstrap_of(settings: EdgeSettings, door: Door) -> str:
    """A configuration's text. It takes a second to make, so it is made once but for the ports."""
    ports = [settings.public.port, settings.mesh.port, *(port for _, port in settings.endpoints)]
    kept = [f'"portValue": {number}' for number in range(1, len(ports) + 1)]
    numbers = iter(range(1, len(ports) + 1))
    like = settings.model_copy(
        update={
            "public": replace(settings.public, port=next(numbers)),
            "mesh": replace(settings.mesh, port=next(numbers)),
            "endpoints": tuple((host, next(numbers)) for host, _ in settings.endpoints),
        }
    )
    key = f"{door.name} {like}"
    if key not in _texts:
        _texts[key] = bootstrap_json(build_bootstrap(like, door, DESCRIPTORS.read_bytes()))
    text = _texts[key]
    for each, port in zip(kept, ports, strict=True):
        text = re.sub(rf"{each}\b", f'"portValue": {port}', text)
    return text


async def _status(client: httpx.AsyncClient, path: str) -> int | None:
    try:
        return (await client.get(path)).status_code
    except httpx.TransportError:
        return None


def settings_for(ports: Sequence[int], **choices: Any) -> EdgeSettings:
    """Settings for servers on these ports of this host, listening on free ports."""
    public_port, mesh_port = free_ports(2)
    choices = {"address_rate_limits": NO_ADDRESS_LIMITS, **choices}
    return EdgeSettings(
        public=ListenerSettings(port=public_port, connections_max=1_500),
        mesh=ListenerSettings(port=mesh_port, connections_max=2_000),
        endpoints=tuple(("127.0.0.1", port) for port in ports),
        descriptor_path=str(ENVOYS_COPY),
        dashboard_origins=(DASHBOARD_ORIGIN,),
        client_id_headers=(CLIENT_ID_ALIAS,),
        **choices,
    )


def free_ports(count: int) -> list[int]:
    """Ports that no connection of anybody's own is given meanwhile."""
    return choose_ports([PortWish(port=0)] * count)
