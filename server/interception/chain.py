"""Puts the steps in front of every method of the contract.

The steps are composed once for each method, not once for each call: one wrapped coroutine
costs a call a few microseconds, an interceptor object of gRPC's own several times that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method


@dataclass(slots=True, kw_only=True)
class Call:
    """One call: its method, its metadata (lower-case keys), and gRPC's context."""

    method: Method
    metadata: Mapping[str, str | bytes]
    context: Any

    def header(self, name: str) -> str:
        """The text of a header; empty if it is absent."""
        value = self.metadata.get(name, "")
        return value if isinstance(value, str) else value.decode("latin-1")

    @property
    def came_as_json(self) -> bool:
        """Whether Envoy made the call from an HTTP request."""
        return "x-envoy-original-path" in self.metadata


Handler = Callable[[Message, Call], Awaitable[Message]]


class Step(Protocol):
    """Something that happens around every call."""

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        """Puts this step in front of `proceed`, for one method."""


class InterceptorChain(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # untyped base
    """The steps, outermost first, in front of every method of the contract.

    `exceptions` are the prefixes of paths that are not of the contract and pass untouched.
    A method that is neither is refused by gRPC itself.
    """

    def __init__(
        self, *, methods: Mapping[str, Method], steps: Sequence[Step], exceptions: Iterable[str]
    ) -> None:
        self._methods = methods
        self._steps = steps
        self._exceptions = tuple(exceptions)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        path: str = handler_call_details.method  # type: ignore[attr-defined]  # stubs omit it
        known = self._handlers.get(path)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None or path.startswith(self._exceptions):
            return handler
        known = self._composed(self._methods[path], handler)
        self._handlers[path] = known
        return known

    def _composed(self, method: Method, handler: Any) -> Any:
        assert handler.unary_unary is not None, f"{method.path}: a stream needs steps of its own"
        behaviour = handler.unary_unary

        async def serve(request: Message, call: Call) -> Message:
            response: Message = await behaviour(request, call.context)
            return response

        proceed: Handler = serve
        for step in reversed(self._steps):
            proceed = step.wrap(method, proceed)

        async def outermost(request: Message, context: Any) -> Message:
            metadata = dict(context.invocation_metadata() or ())
            return await proceed(request, Call(method=method, metadata=metadata, context=context))

        return grpc.unary_unary_rpc_method_handler(
            outermost,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
