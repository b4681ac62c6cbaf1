"""Requests of strict routes, as Envoy hands them on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from infrastructure.rpc.contract import Method
from infrastructure.rpc.strict_routes import RAW_BODY_NAME
from server.interception.chain import Call, UnaryHandler
from server.interception.refusals import Refusal, Violation
from server.interception.strict_json.step import StrictJson
from server.interception.validation import Validation
from tests.support.contract import METHODS, ROOT
from tests.support.messages import full_requests

ENVOYS_COPY = ROOT / "server" / "edge" / "edge.binpb"

STRICT = [method for method in METHODS.values() if method.is_strict]
WITH_BODY = [method for method in STRICT if method.takes_body]
WITH_QUERY = [method for method in STRICT if not method.takes_body]


@cache
def _copies() -> DescriptorPool:
    """The contract as Envoy has it."""
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(ENVOYS_COPY.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def with_body(request: Message, body: bytes) -> Message:
    """The request with a body in the field that only Envoy knows, which it writes twice."""
    copy = GetMessageClass(_copies().FindMessageTypeByName(request.DESCRIPTOR.full_name))
    said = copy.FromString(request.SerializeToString())
    raw_body = getattr(said, RAW_BODY_NAME)
    raw_body.SetInParent()
    first = said.SerializeToString()
    raw_body.content_type = "application/json"
    raw_body.data = body
    return type(request).FromString(first + said.SerializeToString())


def path_of(method: Method, request: Message) -> Message:
    """What the path says of a full request."""
    fields = request.DESCRIPTOR.fields_by_name
    said = {name: getattr(request, name) for name in method.path_parameters if name in fields}
    return type(request)(**said)


def a_json_call(method: Method, path: str = "/business") -> Call:
    """A call that came as JSON."""
    return Call(method=method, headers={"x-envoy-original-path": path}, context=None)


async def read_by_steps(method: Method, request: Message, path: str = "/business") -> Message:
    """The request behind the steps that read and check it.

    Raises:
        Refusal: they refuse it.
    """
    passed: list[Message] = []

    async def remember(message: Message, _: Call) -> Message:
        passed.append(message)
        return message

    await steps_of(method, remember)(request, a_json_call(method, path))
    return passed[0]


_VALIDATION = Validation()


def steps_of(method: Method, proceed: UnaryHandler) -> UnaryHandler:
    """The steps that read and check a request, in front of something."""
    return StrictJson().wrap(method, _VALIDATION.wrap(method, proceed))


async def violations_of(method: Method, path: Message, body: object) -> list[Violation]:
    """Why a body is refused; it is bytes, or what JSON is made of."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refusal) as refused:
        await read_by_steps(method, with_body(path, data))
    assert refused.value.reason == "REQUEST_INVALID"
    return list(refused.value.violations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An object somewhere in a body: its path, its message, and the object itself."""

    path: str
    message: Descriptor
    holder: dict[str, Any]

    def path_to(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def full_bodies(method: Method) -> Iterator[tuple[Message, dict[str, Any]]]:
    """What the path says, and bodies that together set every field."""
    for request in full_requests(method):
        path = path_of(method, request)
        body = json_format.MessageToDict(request)
        for name in method.path_parameters:
            body.pop(name, None)
        yield path, body


def places_of(message: Descriptor, holder: dict[str, Any], path: str = "") -> Iterator[Place]:
    """Every object of a body whose keys the contract knows."""
    here = Place(path=path, message=message, holder=holder)
    yield here
    for field in message.fields:
        inside = field.message_type
        if inside is None or inside.full_name.startswith("google.protobuf."):
            continue
        held = holder.get(field.json_name)
        below = here.path_to(field.json_name)
        if isinstance(held, dict):
            yield from places_of(inside, held, below)
        for index, each in enumerate(held if isinstance(held, list) else ()):
            yield from places_of(inside, each, f"{below}[{index}]")


def misspelled(key: str) -> Mapping[str, Callable[[], Iterator[str]]]:
    """Slips of a key, by their kind."""
    return {
        "dropped": lambda: (key[:i] + key[i + 1 :] for i in range(len(key))),
        "doubled": lambda: (key[:i] + key[i] + key[i:] for i in range(len(key))),
        "swapped": lambda: (
            key[:i] + key[i + 1] + key[i] + key[i + 2 :] for i in range(len(key) - 1)
        ),
    }


def snake_case(key: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
