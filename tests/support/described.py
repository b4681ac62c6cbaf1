"""Services that are described by a test."""

from __future__ import annotations

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, ServiceDescriptor

from guerdon.edge.v1 import edge_pb2
from guerdon.options.v1 import method_pb2


def a_service(
    name: str,
    *,
    callers: tuple[int, ...] = (method_pb2.Access.CALLER_SERVICE,),
    merchant_role: int = 0,
    route: str = "",
    rate_class: int = 0,
    request: Descriptor = edge_pb2.GetHealthRequest.DESCRIPTOR,
    streams_answers: bool = False,
    streams_requests: bool = False,
) -> ServiceDescriptor:
    """A service with one method, described by hand."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tests/{name}.proto",
        package=f"guerdon.tests.{name}",
        syntax="proto3",
        dependency={request.file.name, edge_pb2.DESCRIPTOR.name},
    )
    method = file.service.add(name="TestService").method.add(
        name="Get",
        input_type=f".{request.full_name}",
        output_type=".guerdon.edge.v1.GetHealthResponse",
        server_streaming=streams_answers,
        client_streaming=streams_requests,
    )
    access = method.options.Extensions[method_pb2.access]
    access.callers.extend(callers)  # type: ignore[arg-type]  # numbers do
    access.merchant_role = merchant_role  # type: ignore[assignment]  # numbers do
    if route:
        method.options.Extensions[annotations_pb2.http].get = route
    if rate_class:
        method.options.Extensions[method_pb2.rate_class] = rate_class  # type: ignore[misc]
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool.FindServiceByName(f"guerdon.tests.{name}.TestService")
