"""Puts the steps in front of every method of the contract.

The steps are composed once for each method, not once for each call: one wrapped coroutine
costs a call a few microseconds, an interceptor object of gRPC's own several times that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from infrastructure.rpc.contract import ContractError, Method
from infrastructure.rpc.headers import headers_of
from infrastructure.rpc.served_method import set_served_method


class Misread(Protocol):
    """What was wrong with the JSON of a request that could be read apart from that."""

    @property
    def violations(self) -> Sequence[Any]:
        """What is wrong."""

    def unexplained(self, violations: Sequence[Any], request_type: Descriptor) -> Sequence[Any]:
        """Those violations of the message that do not follow from it."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One call: its method, its headers (lower-case names), and gRPC's context.

    A request that cannot be read is handed on empty, with `is_readable` false. `misread` is what
    a step found wrong with its JSON, for the step that holds it against the rules of its message.
    """

    method: Method
    headers: Mapping[str, str]
    context: Any
    is_readable: bool = True
    misread: Misread | None = None

    def header(self, name: str) -> str:
        """The text of a header; empty if it is absent."""
        return self.headers.get(name, "")

    @property
    def came_as_json(self) -> bool:
        """Whether Envoy made the call from an HTTP request."""
        return "x-envoy-original-path" in self.headers


Handler = Callable[[Message, Call], Awaitable[Message]]
Behaviour = Callable[[Any, Any], Awaitable[Message]]
"""What gRPC calls: with the request and its own context."""


class Step(Protocol):
    """Something that happens around every call."""

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        """Puts this step in front of `proceed`, for one method."""


class InterceptorChain(grpc.aio.ServerInterceptor):
    """The steps, outermost first, in front of every method of the contract.

    `exceptions` are the prefixes of paths that are not of the contract and pass untouched.
    A method that is neither is refused by gRPC itself.

    Raises:
        ContractError: a method is a stream, which these steps do not know.
    """

    def __init__(
        self, *, methods: Mapping[str, Method], steps: Sequence[Step], exceptions: Iterable[str]
    ) -> None:
        self._steps = tuple(steps)
        self._exceptions = tuple(exceptions)
        self._behaviours: dict[str, Behaviour] = {}
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        # Now, not at the first call: what is wrong with a method keeps the server from starting.
        self._composed = {path: self._compose(method) for path, method in methods.items()}

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
        self._behaviours[path] = handler.unary_unary
        known = self._handlers[path] = grpc.unary_unary_rpc_method_handler(
            self._composed[path],
            request_deserializer=_readable(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return known

    def _compose(self, method: Method) -> Behaviour:
        if method.is_stream:
            message = f"{method.path} is a stream, and streams need steps of their own"
            raise ContractError(message)

        async def serve(request: Message, call: Call) -> Message:
            response: Message = await self._behaviours[method.path](request, call.context)
            return response

        proceed: Handler = serve
        for step in reversed(self._steps):
            proceed = step.wrap(method, proceed)
        empty = method.request_class

        async def outermost(request: Message | None, context: Any) -> Message:
            set_served_method(method.path)
            call = Call(
                method=method,
                headers=headers_of(context),
                context=context,
                is_readable=request is not None,
            )
            return await proceed(empty() if request is None else request, call)

        return outermost


def _readable(deserialize: Callable[[bytes], Message]) -> Callable[[bytes], Message | None]:
    def read(data: bytes) -> Message | None:
        # Left alone, gRPC would answer INTERNAL, as if the fault were ours.
        try:
            return deserialize(data)
        except DecodeError:
            return None

    return read
