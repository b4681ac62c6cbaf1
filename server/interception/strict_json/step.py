"""Reads the JSON of strict routes, once it is known who calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.api import httpbody_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from infrastructure.rpc.contract import ContractError, Method
from infrastructure.rpc.strict_routes import RAW_BODY_NUMBER
from server.interception.chain import BeforeCall, Call, Handler, Result
from server.interception.field_paths import json_path
from server.interception.refusals import Violation
from server.interception.strict_json.messages import Fault, Reading, prepare, read_body
from server.interception.strict_json.query import QueryReader
from server.interception.validation import request_invalid

_INDEX = re.compile(r"\[\d+\]")


class StrictJson(BeforeCall):
    """Reads the body of a strict route, or its query, into the fields of the request.

    Envoy hands on the body as bytes (`infrastructure.rpc.strict_routes`). Callers of gRPC send
    messages, and are not concerned; the field with the bytes means nothing to them.
    """

    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        if not method.is_strict:
            return proceed
        read = _read_raw_body if method.takes_body else _query_reading(method)
        prepare(method.request_type)
        variables = _path_fields(method)

        async def step(request: Message, call: Call) -> Result:
            if call.came_as_json:
                sent = method.request_class()
                reading = read(request, sent, call)
                request.DiscardUnknownFields()
                _compare(sent, request, variables, reading)
                faults = [
                    Violation(path=each.path, description=each.description, in_json=True)
                    for each in reading.faults
                ]
                if not reading.is_whole:
                    raise request_invalid(faults)
                request.MergeFrom(sent)
                if faults:
                    call.misread = JsonFaults(violations=faults, misread=reading.misread)
            return await proceed(request, call)

        return step


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFaults:
    """What was wrong with a request's JSON, and the fields about which nothing is known then."""

    violations: Sequence[Violation]
    misread: Sequence[str]

    def unexplained(
        self, violations: Sequence[Violation], request_type: Descriptor
    ) -> Sequence[Violation]:
        """The violations of the message but for those that these faults are the reason of.

        A field whose key was misspelled is not missing as well.
        """
        return [each for each in violations if not self._explains(each, request_type)]

    def _explains(self, violation: Violation, request_type: Descriptor) -> bool:
        broken = json_path(request_type, _place_of(violation.path, request_type))
        return any(_holds(misread, broken) or _holds(broken, misread) for misread in self.misread)


def _place_of(path: str, message: Descriptor) -> str:
    """A path without what is no field: rules about a oneof name that."""
    parts: list[str] = []
    current: Descriptor | None = message
    for part in path.split("."):
        field = current.fields_by_name.get(_INDEX.sub("", part)) if current is not None else None
        if field is None:
            break
        parts.append(part)
        current = field.message_type
    return ".".join(parts)


def _holds(outer: str, inner: str) -> bool:
    """Whether a path is another one or leads to it."""
    return not outer or inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def _path_fields(method: Method) -> Sequence[tuple[str, str]]:
    """The variables of a method's paths, as fields of its request and as keys of JSON."""
    fields = method.request_type.fields_by_name
    if any("." in name for name in method.path_parameters):
        message = f"{method.path} is read strictly, so its path names fields of its request alone"
        raise ContractError(message)
    return [(name, fields[name].json_name) for name in method.path_parameters if name in fields]


def _compare(
    sent: Any, request: Any, variables: Sequence[tuple[str, str]], reading: Reading
) -> None:
    """Blames what contradicts the path, and leaves what the path says."""
    for name, key in variables:
        said = getattr(sent, name)
        path_says = getattr(request, name)
        if said and said != path_says:
            description = f"contradicts the path, which says {path_says}"
            reading.faults.append(Fault(path=key, description=description))
            reading.misread.append(key)
        sent.ClearField(name)


def _read_raw_body(request: Message, sent: Message, _: Call) -> Reading:
    # Envoy writes the field twice, first without anything in it.
    fields: Any = UnknownFieldSet(request)
    pieces = [each.data for each in fields if each.field_number == RAW_BODY_NUMBER]
    try:
        body = httpbody_pb2.HttpBody.FromString(b"".join(pieces))
    except (DecodeError, TypeError):
        # Not from Envoy: who calls a server process directly may say that the call was JSON.
        reading = Reading()
        reading.end("has a body that cannot be read")
        return reading
    return read_body(body.data, sent)


def _query_reading(method: Method) -> Any:
    reader = QueryReader(method)

    def read(_request: Message, sent: Message, call: Call) -> Reading:
        _, _, query = call.header("x-envoy-original-path").partition("?")
        return reader.read(query, sent)

    return read
