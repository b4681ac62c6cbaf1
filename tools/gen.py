"""Makes gen/ and envoy/descriptors.binpb from proto/. Run by `make gen`.

One run of protoc writes the descriptor set that everyone reads: the proto linter, the
breaking-change check, Envoy and the contract tests.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from google.api import http_pb2
from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from grpc_tools import protoc

# protovalidate ships its rules only as an embedded descriptor. The module is private, which
# is why the version is pinned and a contract test compares gen/ with a fresh run.
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
GEN = ROOT / "gen"
DESCRIPTORS = ROOT / "envoy" / "descriptors.binpb"
VALIDATE = "buf/validate/validate.proto"


def run(*arguments: str) -> None:
    if protoc.main(["protoc", *arguments]) != 0:
        sys.exit("protoc refused; its words stand above")


def validate_descriptors(target: Path) -> None:
    """Writes buf/validate with what it imports, so that protoc can import it."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.append(
        descriptor_pb2.FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    )
    target.write_bytes(files.SerializeToString())


def generate(gen: Path, descriptors: Path) -> None:
    """Writes the generated packages below `gen` and the descriptor set to `descriptors`.

    Each package is marked as typed: type checkers pass over the stubs of one that is not.
    """
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in ROOT.glob("proto/**/*.proto"))
    google_api = Path(http_pb2.__file__).parent.parent.parent
    well_known = Path(protoc.__file__).parent / "_proto"
    gen.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        validate = Path(folder) / "validate.binpb"
        validate_descriptors(validate)
        common = [
            f"--descriptor_set_in={validate}",
            f"-I{ROOT / 'proto'}",
            f"-I{google_api}",
            f"-I{well_known}",
        ]
        run(
            *common,
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={descriptors}",
            *protos,
            # Envoy prints error details as JSON only when it knows their types.
            "google/rpc/error_details.proto",
        )
        run(
            *common,
            f"--python_out={gen}",
            f"--mypy_out=quiet:{gen}",
            f"--grpc_python_out={gen}",
            f"--mypy_grpc_out=quiet:{gen}",
            *protos,
        )
        run(
            f"--descriptor_set_in={validate}",
            f"--python_out={gen}",
            f"--mypy_out=quiet:{gen}",
            VALIDATE,
        )
    for package in gen.iterdir():
        (package / "py.typed").touch()


def main() -> None:
    shutil.rmtree(GEN, ignore_errors=True)
    DESCRIPTORS.parent.mkdir(exist_ok=True)
    generate(GEN, DESCRIPTORS)


if __name__ == "__main__":
    main()
