"""The contract as Envoy reads it: `envoy/edge.binpb`, made of `envoy/descriptors.binpb`.

What callers may rely on stays in the latter. The copy says besides what only Envoy needs to know.
"""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from server.edge.head_bindings import with_head_bindings

_CHANGES = (with_head_bindings,)


def contract_copy(descriptors: bytes) -> bytes:
    """Envoy's copy of a serialized `FileDescriptorSet`; the same contract gives the same copy."""
    files = FileDescriptorSet.FromString(descriptors)
    for change in _CHANGES:
        files = change(files)
    for file in files.file:
        # Comments are for people.
        file.ClearField("source_code_info")
    return files.SerializeToString(deterministic=True)
