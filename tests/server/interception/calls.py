"""Calls for tests of one step."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from server.interception.chain import Call, Step
from server.interception.refusals import Refusal


class Servicer:
    """Behind the step: answers with the request, and remembers that it was asked."""

    def __init__(self) -> None:
        self.asked: list[Message] = []

    async def __call__(self, request: Message, call: Call) -> Message:
        self.asked.append(request)
        return request


def a_call(method: Method, **metadata: str) -> Call:
    """A call with these headers; underscores stand for dashes."""
    headers: dict[str, Any] = {name.replace("_", "-"): text for name, text in metadata.items()}
    return Call(method=method, headers=headers, context=None)


async def pass_through(step: Step, method: Method, request: Message, **metadata: str) -> Servicer:
    """Puts a request through a step; returns what stood behind it."""
    servicer = Servicer()
    await step.wrap(method, servicer)(request, a_call(method, **metadata))
    return servicer


async def refusal_from(step: Step, method: Method, request: Message, **metadata: str) -> Refusal:
    """How a step refuses a request. Fails if it does not, or lets it through first."""
    servicer = Servicer()
    with pytest.raises(Refusal) as refused:
        await step.wrap(method, servicer)(request, a_call(method, **metadata))
    assert servicer.asked == []
    return refused.value
