"""Puts the steps in front of every method of the contract.

The steps are composed once for each method, not once for each call: one wrapped coroutine
costs a call a few microseconds, an interceptor object of gRPC's own several times that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError, Message

from infrastructure.rpc.contract import Method
from infrastructure.rpc.served_method import set_served_method


@dataclass(slots=True, kw_only=True)
class Call:
    """One call: its method, its metadata (lower-case keys), and gRPC's context.

    A request that cannot be read is handed on empty, with `is_readable` false.
    """

    method: Method
    metadata: Mapping[str, str | bytes]
    context: Any
    is_readable: bool = True

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


class InterceptorChain(grpc.aio.ServerInterceptor):
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
        path: str = handler_call_details.method
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

        deserialize = handler.request_deserializer

        def read(data: bytes) -> Message | None:
            # Left alone, gRPC would answer INTERNAL, as if the fault were ours.
            try:
                request: Message = deserialize(data)
            except DecodeError:
                return None
            return request

        async def outermost(request: Message | None, context: Any) -> Message:
            set_served_method(method.path)
            metadata = dict(context.invocation_metadata() or ())
            if request is None:
                call = Call(method=method, metadata=metadata, context=context, is_readable=False)
                return await proceed(deserialize(b""), call)
            return await proceed(request, Call(method=method, metadata=metadata, context=context))

        return grpc.unary_unary_rpc_method_handler(
            outermost,
            request_deserializer=read,
            response_serializer=handler.response_serializer,
        )
