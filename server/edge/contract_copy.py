"""The contract as Envoy reads it: `edge.binpb` beside this file, made of `envoy/descriptors.binpb`.

What callers may rely on stays in the latter. The copy says besides what only Envoy needs to know.
"""

from __future__ import annotations

# Options that nobody knows are written in another place than those that somebody does; these are
# known wherever the copy is made, so that it is the same everywhere.
from google.api import annotations_pb2, field_behavior_pb2  # noqa: F401
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from buf.validate import validate_pb2  # noqa: F401
from guerdon.options.v1 import method_pb2  # noqa: F401
from server.edge.head_bindings import with_head_bindings
from server.edge.raw_bodies import with_raw_bodies

_CHANGES = (with_raw_bodies, with_head_bindings)


def contract_copy(descriptors: bytes) -> bytes:
    """Envoy's copy of a serialized `FileDescriptorSet`; the same contract gives the same copy.

    Raises:
        ContractError: the contract has what the copy cannot express.
    """
    files = FileDescriptorSet.FromString(descriptors)
    for change in _CHANGES:
        files = change(files)
    for file in files.file:
        # Comments are for people.
        file.ClearField("source_code_info")
    return files.SerializeToString(deterministic=True)
