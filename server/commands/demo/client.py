"""How the demo talks to the mesh: as browsers and shops do, and as an importing service."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import grpc
import httpx
import orjson
from google.protobuf.message import Message

from server.commands.mesh import told

TRIES_MAX = 60
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 30
_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_AGAIN_HTTP = {429, 502, 503, 504}

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class MeshClient:
    """Calls the mesh, and calls again when a part of it is being restarted.

    Every call of the demo may be made twice: deliveries and claims repeat themselves, imports
    carry request ids.
    """

    http: httpx.AsyncClient
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

    async def json(self, path: str, body: object, headers: dict[str, str]) -> Any:
        """Posts JSON to the public listener, as a browser does."""

        async def once() -> Any:
            answer = await self.http.post(path, json=body, headers=headers)
            return _read(answer)

        return await self._until_answered(once)

    async def deliver(self, path: str, body: object, *, key: str) -> str:
        """Sends a signed webhook to the public listener, as a shop does."""
        raw = orjson.dumps(body)
        signature = base64.b64encode(hmac.digest(key.encode(), raw, hashlib.sha256)).decode()

        async def once() -> str:
            headers = {"x-hmac-sha256": signature, "content-type": "application/json"}
            answer = await self.http.post(path, content=raw, headers=headers)
            _read(answer)
            return answer.text

        return await self._until_answered(once)

    async def _until_answered(self, once: Callable[[], Awaitable[Result]]) -> Result:
        for _ in range(TRIES_MAX):
            try:
                return await once()
            except (httpx.TransportError, _BusyError):
                pass
            self.again_count += 1
            await asyncio.sleep(PAUSE_SECONDS)
        message = "The mesh did not answer for half a minute; `guerdon up` shows its logs."
        raise click.ClickException(message)


class _BusyError(Exception):
    """The mesh is there and cannot answer now."""


def _read(answer: httpx.Response) -> Any:
    if answer.status_code in _AGAIN_HTTP:
        raise _BusyError
    if answer.is_error:
        message = f"{answer.request.url.path} was refused: {answer.text}"
        raise click.ClickException(message)
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.json() if is_json else None
