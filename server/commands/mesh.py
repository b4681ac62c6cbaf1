"""Finds the mesh that a command talks to."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from server.interception.field_paths import with_json_names
from server.running_stack import read_running

FOLDER = Path(".guerdon")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """The mesh listener, and the proof that a service shows there."""

    address: str
    service_token: str

    @property
    def proof(self) -> tuple[tuple[str, str], ...]:
        return (("x-service-auth", self.service_token),)


def named_mesh_address() -> str | None:
    """The mesh listener that the environment names, if it does.

    Two texts without a rule: the library of the other settings would take as long to load as the
    whole command.
    """
    return os.environ.get("GUERDON_MESH_ADDRESS")


def find_mesh() -> Mesh:
    """The mesh that the environment names, else the one that runs on this host."""
    address = named_mesh_address()
    token = os.environ.get("GUERDON_SERVICE_TOKEN")
    if address and not token:
        message = "GUERDON_MESH_ADDRESS is set; set GUERDON_SERVICE_TOKEN to its token as well."
        raise click.ClickException(message)
    if address and token:
        return Mesh(address=address, service_token=token)
    running = read_running(FOLDER)
    if running is None:
        message = (
            "No mesh runs here. Start one with `guerdon up`, or name one with "
            "GUERDON_MESH_ADDRESS (host:port of the mesh listener) and GUERDON_SERVICE_TOKEN."
        )
        raise click.ClickException(message)
    return Mesh(address=running.mesh_address, service_token=running.service_token)


Stub = Callable[[grpc.aio.Channel], Callable[..., Any]]


async def call(mesh: Mesh, method: Stub, request: Message) -> Any:
    """Calls one method; a refusal ends the command with its words."""
    try:
        return await _call(mesh, method, request)
    except grpc.aio.AioRpcError as refused:
        raise click.ClickException(told(refused, request)) from refused


async def call_or_none(mesh: Mesh, method: Stub, request: Message) -> Any:
    """Calls one method that reads; None if what it asks for is not there."""
    try:
        return await _call(mesh, method, request)
    except grpc.aio.AioRpcError as refused:
        if refused.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise click.ClickException(told(refused, request)) from refused


async def _call(mesh: Mesh, method: Stub, request: Message) -> Any:
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        return await method(channel)(request, metadata=mesh.proof, timeout=TIMEOUT_SECONDS)


def told(refused: grpc.aio.AioRpcError, request: Message) -> str:
    """A refusal for people: the message, then every other field that is to blame.

    Fields have the names that they have in files.
    """
    message = refused.details() or refused.code().name
    status = rpc_status.from_call(refused)  # type: ignore[arg-type]  # the asynchronous kind serves
    if status is None:
        return f"The mesh cannot be reached: {message}"
    violations: list[tuple[str, str]] = []
    for detail in status.details:
        blamed = error_details_pb2.BadRequest()
        if detail.Unpack(blamed):
            violations += [(each.field, each.description) for each in blamed.field_violations]
    # The message names as many as it has room for.
    sentences = [f"{field} {problem}." for field, problem in violations]
    lines = [message, *(each for each in sentences if each not in message)]
    blamed = [field for field, _ in violations]
    return with_json_names("\n".join(lines), request.DESCRIPTOR, blamed)  # type: ignore[arg-type]  # either kind


def asynchronous(
    command: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Lets click run a coroutine."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        asyncio.run(command(*arguments, **options))

    return run
