"""What answers the calls of a service of the contract."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from infrastructure.rpc.contract import ContractError, Method, methods_of

Answer = Callable[[Message, Any], Awaitable[Message] | AsyncIterator[Message]]
"""A servicer's method: with the request and gRPC's context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMethod:
    """A method of the contract, and what answers it."""

    method: Method
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedService:
    """A service of the contract with its methods, by their gRPC paths.

    All that a process needs to know of a service follows from this: what it serves, in front of
    what it puts the steps, and what health and reflection list.
    """

    descriptor: ServiceDescriptor
    methods: Mapping[str, ServedMethod]

    @property
    def name(self) -> str:
        """Its full name, like `guerdon.edge.v1.EdgeService`."""
        return self.descriptor.full_name


def served(servicer: object, descriptor: ServiceDescriptor) -> ServedService:
    """Registers what answers a service.

    Raises:
        ContractError: the servicer leaves a method out, or a method does not say who may call it.
    """
    return ServedService(
        descriptor=descriptor,
        methods={
            path: ServedMethod(method=method, answer=_answer_of(servicer, method))
            for path, method in methods_of([descriptor]).items()
        },
    )


def _answer_of(servicer: object, method: Method) -> Answer:
    answer: Answer | None = getattr(servicer, method.descriptor.name, None)
    # The generated base class has a plain function, which answers UNIMPLEMENTED.
    is_answered = (
        inspect.isasyncgenfunction(answer)
        if method.answers_in_stream
        else inspect.iscoroutinefunction(answer)
    )
    if answer is None or not is_answered:
        message = f"{type(servicer).__name__} does not answer {method.path}"
        raise ContractError(message)
    return answer
