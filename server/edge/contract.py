"""What Envoy has to know about the methods of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

from guerdon.options.v1 import method_pb2
from infrastructure.rpc.contract import ContractError, paths_of
from infrastructure.rpc.rate_class import RateClass


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicMethod:
    """A method that has a route, and so may be called from outside.

    `json_paths` are its HTTP paths as the contract writes them, the main one first, variables
    in braces. `streams` says that the answer comes in pieces, for as long as it takes.
    """

    service: str
    name: str
    json_paths: tuple[str, ...]
    rate_class: RateClass
    streams: bool

    @property
    def full_name(self) -> str:
        return f"{self.service}.{self.name}"

    @property
    def grpc_path(self) -> str:
        return f"/{self.service}/{self.name}"

    @property
    def audience(self) -> str:
        """Whom it is for: the first segment of its main path."""
        return first_segment(self.json_paths[0])


def read_public_methods(descriptors: bytes) -> tuple[PublicMethod, ...]:
    """The methods with a route in a serialized `FileDescriptorSet`, sorted by name.

    Raises:
        ContractError: a routed method has no rate class.
    """
    files = FileDescriptorSet.FromString(descriptors).file
    methods = (
        _public_method(f"{file.package}.{service.name}", method)
        for file in files
        for service in file.service
        for method in service.method
        if method.options.HasExtension(annotations_pb2.http)
    )
    return tuple(sorted(methods, key=lambda method: method.full_name))


def first_segment(path: str) -> str:
    """`/user` of `/user/track/arrival`."""
    return "/" + path.split("/")[1]


def services_of(methods: Sequence[PublicMethod]) -> tuple[str, ...]:
    """The services that own at least one of the methods, sorted."""
    return tuple(sorted({method.service for method in methods}))


def _public_method(service: str, method: MethodDescriptorProto) -> PublicMethod:
    rate_class = method.options.Extensions[method_pb2.rate_class]
    if not rate_class:
        message = f"{service}.{method.name} has a route and no guerdon.options.v1.rate_class"
        raise ContractError(message)
    return PublicMethod(
        service=service,
        name=method.name,
        json_paths=tuple(_json_paths(method)),
        rate_class=RateClass(rate_class),
        streams=method.server_streaming,
    )


def _json_paths(method: MethodDescriptorProto) -> Iterator[str]:
    return paths_of(method.options.Extensions[annotations_pb2.http])
