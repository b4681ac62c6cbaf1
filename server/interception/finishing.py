"""Lets a call that was begun come to its end, though its caller has gone."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from server.causes import fault_of
from server.interception.chain import Call, StreamHandler, UnaryHandler
from vocabulary.errors import DomainError

LEFT_MAX = 100
"""Calls of a process that go on without their callers; beyond these, they are broken off."""

_log = structlog.get_logger()


class Finishing:
    """To break off a statement costs its connection to the database, which others wait for.

    Callers decide when they go: some hundred a second would have every connection made anew, again
    and again.
    """

    def __init__(self) -> None:
        self._left: set[asyncio.Future[Any]] = set()

    def wrap(self, method: Method, proceed: UnaryHandler) -> UnaryHandler:
        path = method.path

        async def step(request: Message, call: Call) -> Message:
            running = asyncio.ensure_future(proceed(request, call))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                self._leave(running, path)
                raise

        return step

    def wrap_stream(self, method: Method, proceed: StreamHandler) -> StreamHandler:  # noqa: ARG002
        """A stream without a reader has no end to come to: it is broken off."""
        return proceed

    def _leave(self, running: asyncio.Future[Any], path: str) -> None:
        if len(self._left) >= LEFT_MAX:
            running.cancel()
        self._left.add(running)

        def end(_: object) -> None:
            self._left.discard(running)
            failure = None if running.cancelled() else running.exception()
            if failure is not None and not isinstance(failure, DomainError):
                _log.warning("call without a caller", method=path, **fault_of(failure))

        running.add_done_callback(end)
