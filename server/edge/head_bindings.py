"""HEAD wherever GET is: bindings that the contract leaves out, for Envoy's copy of it."""

from __future__ import annotations

from collections.abc import Iterator

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet


def with_head_bindings(contract: FileDescriptorSet) -> FileDescriptorSet:
    """The contract with a binding for HEAD beside each one for GET.

    A GET changes nothing, so asking for its headers alone needs no method of its own.
    """
    copy = FileDescriptorSet()
    copy.CopyFrom(contract)
    for file in copy.file:
        for service in file.service:
            for method in service.method:
                if method.options.HasExtension(annotations_pb2.http):
                    rule = method.options.Extensions[annotations_pb2.http]
                    rule.additional_bindings.extend(list(_head_bindings(rule)))
    return copy


def _head_bindings(rule: http_pb2.HttpRule) -> Iterator[http_pb2.HttpRule]:
    for each in (rule, *rule.additional_bindings):
        if each.WhichOneof("pattern") == "get":
            yield http_pb2.HttpRule(
                custom=http_pb2.CustomHttpPattern(kind="HEAD", path=each.get),
                response_body=each.response_body,
            )
