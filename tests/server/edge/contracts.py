"""A contract of two services, for what ours does not have."""

from __future__ import annotations

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from guerdon.options.v1 import method_pb2


def a_contract(
    *,
    rate_class: method_pb2.RateClass.ValueType = method_pb2.RATE_CLASS_PROBE,
    streams: bool = False,
    path: str = "/watch/{id}",
) -> bytes:
    """One service with a method with two routes and one without any, and one without routes."""
    files = FileDescriptorSet()
    file = files.file.add(name="shop.proto", package="shop.v1")
    service = file.service.add(name="ShopService")
    routed = service.method.add(name="Watch", server_streaming=streams)
    routed.options.Extensions[annotations_pb2.http].get = path
    routed.options.Extensions[annotations_pb2.http].additional_bindings.add(post="/older")
    if rate_class:
        routed.options.Extensions[method_pb2.rate_class] = rate_class
    service.method.add(name="Inner")
    file.service.add(name="InnerService").method.add(name="Work")
    return files.SerializeToString()
