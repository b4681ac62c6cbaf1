"""Puts the steps in front of every method of the contract.

The steps are composed once for each method, not once for each call: one wrapped coroutine
costs a call a few microseconds, an interceptor object of gRPC's own several times that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from infrastructure.rpc.headers import read_headers
from infrastructure.rpc.served import ServedMethod
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


Result = TypeVar("Result")
Handler = Callable[[Message, Call], Awaitable[Result]]
UnaryHandler = Handler[Message]
StreamHandler = Handler[AsyncIterator[Message]]
"""Comes to the messages that it answers with, before the first of them is there."""


class Step(Protocol):
    """Something that happens around every call.

    Until one step has taken the message from the call, the others are given an empty one.
    """

    def wrap(self, method: Method, proceed: UnaryHandler) -> UnaryHandler:
        """Puts this step in front of `proceed`, for one method that answers once."""

    def wrap_stream(self, method: Method, proceed: StreamHandler) -> StreamHandler:
        """Puts this step in front of `proceed`, for one method that answers in a stream."""


class BeforeCall(ABC):
    """A step that is over before a call is served, and so does not see what it is answered."""

    @abstractmethod
    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        """Puts this step in front of `proceed`, for one method."""

    def wrap_stream(self, method: Method, proceed: StreamHandler) -> StreamHandler:
        """The same as for one answer."""
        return self.wrap(method, proceed)


class StepChain:
    """The steps, outermost first, in front of methods of the contract."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)

    def handler_of(self, served: ServedMethod) -> grpc.RpcMethodHandler[Any, Any]:
        """What gRPC calls for a method: the steps, and then its servicer.

        Raises:
            ContractError: a step cannot stand in front of this method.
        """
        method = served.method
        # Requests come as a stream of bytes: a step takes the one message, and says what is wrong
        # with it.
        if method.answers_in_stream:
            return grpc.stream_stream_rpc_method_handler(
                self._streamed(method, served.answer),
                response_serializer=method.response_class.SerializeToString,
            )
        return grpc.stream_unary_rpc_method_handler(
            self._answered_once(method, served.answer),
            response_serializer=method.response_class.SerializeToString,
        )

    def _answered_once(self, method: Method, answer: Any) -> Callable[[Any, Any], Any]:
        async def serve(request: Message, call: Call) -> Message:
            set_served_call(method.path, request)
            response: Message = await answer(request, call.context)
            return response

        proceed: UnaryHandler = serve
        for step in reversed(self._steps):
            proceed = step.wrap(method, proceed)
        empty = method.request_class()

        async def outermost(_: Any, context: Any) -> Message:
            return await proceed(empty, _call(method, context))

        return outermost

    def _streamed(self, method: Method, answer: Any) -> Callable[[Any, Any], Any]:
        async def serve(request: Message, call: Call) -> AsyncIterator[Message]:
            set_served_call(method.path, request)
            return cast("AsyncIterator[Message]", answer(request, call.context))

        proceed: StreamHandler = serve
        for step in reversed(self._steps):
            proceed = step.wrap_stream(method, proceed)
        empty = method.request_class()

        async def outermost(_: Any, context: Any) -> AsyncIterator[Message]:
            async for message in await proceed(empty, _call(method, context)):
                yield message

        return outermost


def _call(method: Method, context: Any) -> Call:
    headers, repeated = read_headers(context)
    return Call(method=method, headers=headers, repeated=repeated, context=context)
