"""Puts the steps in front of every method of the contract.

The steps are composed once for each method, not once for each call: one wrapped coroutine
costs a call a few microseconds, an interceptor object of gRPC's own several times that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from infrastructure.rpc.contract import ContractError, Method
from infrastructure.rpc.headers import read_headers
from infrastructure.rpc.served_call import set_served_call


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

    Of headers that came several times, `headers` has the last, and `repeated` the names.
    `misread` is what a step found wrong with its JSON, for the step that holds the message against
    its rules.
    """

    method: Method
    headers: Mapping[str, str]
    context: Any
    repeated: Collection[str] = ()
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
"""What gRPC calls: with the requests and its own context."""


class Step(Protocol):
    """Something that happens around every call.

    Until one step has taken the message from the call, the others are given an empty one.
    """

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        """Puts this step in front of `proceed`, for one method."""


Others = Callable[[str, Any], Any]
"""Given a path and gRPC's handler of it, or None: the handler that serves it."""


class InterceptorChain(grpc.aio.ServerInterceptor):
    """The steps, outermost first, in front of every method of the contract.

    `others` says how a method is served that is not of the contract, given its path and gRPC's
    handler, which is None for a method that nobody serves.

    Raises:
        ContractError: a method is a stream, which these steps do not know.
    """

    def __init__(
        self, *, methods: Mapping[str, Method], steps: Sequence[Step], others: Others
    ) -> None:
        self._steps = tuple(steps)
        self._others = others
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
        composed = self._composed.get(path)
        if composed is None or handler is None:
            return self._others(path, handler)
        self._behaviours[path] = handler.unary_unary
        # As a stream of bytes: a step takes the one message, and says what is wrong with it.
        known = self._handlers[path] = grpc.stream_unary_rpc_method_handler(
            composed, response_serializer=handler.response_serializer
        )
        return known

    def _compose(self, method: Method) -> Behaviour:
        if method.is_stream:
            message = f"{method.path} is a stream, and streams need steps of their own"
            raise ContractError(message)

        async def serve(request: Message, call: Call) -> Message:
            set_served_call(method.path, request)
            response: Message = await self._behaviours[method.path](request, call.context)
            return response

        proceed: Handler = serve
        for step in reversed(self._steps):
            proceed = step.wrap(method, proceed)
        empty = method.request_class()

        async def outermost(_: Any, context: Any) -> Message:
            headers, repeated = read_headers(context)
            call = Call(method=method, headers=headers, repeated=repeated, context=context)
            return await proceed(empty, call)

        return outermost
