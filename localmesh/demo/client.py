"""How the demo talks to the mesh: as browsers and shops do, and as an importing service."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import click
import grpc
import orjson
from google.protobuf.message import Message

from server.commands.mesh import told

TRIES_MAX = 60
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 30
_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_AGAIN_HTTP = {429, 502, 503, 504}
_JSON = {"content-type": "application/json"}

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class MeshClient:
    """Calls the mesh, and calls again when a part of it is being restarted.

    Every call of the demo may be made twice: deliveries and claims repeat themselves, imports
    carry request ids.
    """

    http: aiohttp.ClientSession
    channel: grpc.aio.Channel
    proof: tuple[tuple[str, str], ...]
    again_count: int = 0

    async def rpc(self, method: Callable[..., Any], request: Message) -> Any:
        """Calls a method of the mesh listener."""

        async def once() -> Any:
            try:
                return await method(request, metadata=self.proof, timeout=TIMEOUT_SECONDS)
            except grpc.aio.AioRpcError as refused:
                if refused.code() in _AGAIN:
                    raise _BusyError from refused
                raise click.ClickException(told(refused, request)) from refused

        return await self._until_answered(once)

    async def post(self, path: str, body: object, headers: Mapping[str, str]) -> None:
        """Posts JSON to the public listener, as a browser does."""
        await self._send(path, orjson.dumps(body), headers)

    async def deliver(self, path: str, body: object, *, key: str) -> None:
        """Sends a signed webhook to the public listener, as a shop does."""
        raw = orjson.dumps(body)
        signature = base64.b64encode(hmac.digest(key.encode(), raw, hashlib.sha256)).decode()
        await self._send(path, raw, {"x-hmac-sha256": signature})

    async def _send(self, path: str, raw: bytes, headers: Mapping[str, str]) -> None:
        async def once() -> None:
            async with self.http.post(path, data=raw, headers={**_JSON, **headers}) as answer:
                if answer.status in _AGAIN_HTTP:
                    raise _BusyError
                if not answer.ok:
                    message = f"{path} was refused: {await answer.text()}"
                    raise click.ClickException(message)
                await answer.read()

        await self._until_answered(once)

    async def _until_answered(self, once: Callable[[], Awaitable[Result]]) -> Result:
        for _ in range(TRIES_MAX):
            try:
                return await once()
            except (aiohttp.ClientError, TimeoutError, _BusyError):
                pass
            self.again_count += 1
            await asyncio.sleep(PAUSE_SECONDS)
        message = "The mesh did not answer for half a minute; `guerdon up` shows its logs."
        raise click.ClickException(message)


class _BusyError(Exception):
    """The mesh is there and cannot answer now."""
