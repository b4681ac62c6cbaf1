"""What the contract says about each method, read from the descriptors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import (
    Descriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from guerdon.options.v1 import method_pb2
from infrastructure.rpc.caller import CallerKind
from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, UNROUTED_REQUEST_BYTES_MAX, RateClass
from infrastructure.rpc.strict_routes import is_strict

MERCHANT_FIELDS = ("merchant_id", "product_id", "merchant_ids")
_PATH_VARIABLE = re.compile(r"\{([^}=]+)")


class ContractError(Exception):
    """The contract leaves out what the server has to know about a method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of the contract.

    `path` is its gRPC path. `path_parameters` are the names, in proto and in JSON, of the
    fields that its HTTP paths carry. `is_public` says that it has a route, `takes_body` that
    its route takes one, `is_strict` that its JSON is read strictly. A method without a route
    may have no rate class.
    """

    path: str
    descriptor: MethodDescriptor
    callers: frozenset[CallerKind]
    merchant_role: int
    rate_class: RateClass | None
    is_public: bool
    takes_body: bool
    is_strict: bool
    path_parameters: frozenset[str]

    @property
    def request_type(self) -> Descriptor:
        return self.descriptor.input_type

    @property
    def answers_in_stream(self) -> bool:
        return bool(self.descriptor.server_streaming)

    @property
    def request_class(self) -> type[Message]:
        return GetMessageClass(self.descriptor.input_type)

    @property
    def response_class(self) -> type[Message]:
        return GetMessageClass(self.descriptor.output_type)

    @property
    def request_bytes_max(self) -> int:
        """The most bytes of its request as a gRPC message, and as a JSON body."""
        if self.rate_class is None:
            return UNROUTED_REQUEST_BYTES_MAX
        return REQUEST_BYTES_MAX[self.rate_class]

    @property
    def takes_request_id(self) -> bool:
        return "request_id" in self.request_type.fields_by_name


def methods_of(services: Iterable[ServiceDescriptor]) -> dict[str, Method]:
    """Every method of the services by its gRPC path.

    Raises:
        ContractError: a method does not say who may call it, how often, or for which
            merchant; or it takes a stream of requests, of which no step knows how to take more
            than one.
    """
    return {
        method.path: method
        for service in services
        for method in (_method(service, each) for each in service.methods)
    }


def _method(service: ServiceDescriptor, descriptor: MethodDescriptor) -> Method:
    options = descriptor.GetOptions()
    access = options.Extensions[method_pb2.access]
    is_public = options.HasExtension(annotations_pb2.http)
    callers = frozenset(CallerKind(caller) for caller in access.callers)
    name = f"{service.full_name}.{descriptor.name}"
    if descriptor.client_streaming:
        message = f"{name} takes a stream of requests, and every call has exactly one"
        raise ContractError(message)
    if not callers:
        message = f"{name} does not say who may call it: set guerdon.options.v1.access"
        raise ContractError(message)
    rate_class = options.Extensions[method_pb2.rate_class]
    if is_public and not rate_class:
        message = f"{name} has a route and no guerdon.options.v1.rate_class"
        raise ContractError(message)
    if CallerKind.MERCHANT in callers:
        named = any(field in descriptor.input_type.fields_by_name for field in MERCHANT_FIELDS)
        if not access.merchant_role or not named:
            message = f"{name} is for merchants and lacks a merchant_role or a merchant field"
            raise ContractError(message)
    return Method(
        path=f"/{service.full_name}/{descriptor.name}",
        descriptor=descriptor,
        callers=callers,
        merchant_role=access.merchant_role,
        rate_class=RateClass(rate_class) if rate_class else None,
        is_public=is_public,
        takes_body=bool(options.Extensions[annotations_pb2.http].body),
        is_strict=is_strict(options.Extensions[annotations_pb2.http]),
        path_parameters=frozenset(_path_parameters(descriptor)),
    )


def _path_parameters(descriptor: MethodDescriptor) -> Iterator[str]:
    """The names under which a query could repeat what the path says."""
    rule = descriptor.GetOptions().Extensions[annotations_pb2.http]
    for path in paths_of(rule):
        for variable in _PATH_VARIABLE.findall(path):
            spellings = []
            message: Descriptor | None = descriptor.input_type
            for part in variable.split("."):
                assert message is not None, path
                field: FieldDescriptor = message.fields_by_name[part]
                spellings.append((part, field.json_name))
                message = field.message_type
            yield from (".".join(spelling) for spelling in itertools.product(*spellings))


def paths_of(rule: http_pb2.HttpRule) -> Iterator[str]:
    """Every path of an HTTP rule."""
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        if verb == "custom":
            yield each.custom.path
        elif verb is not None:
            yield getattr(each, verb)
