"""What is generated is what the contract says today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.support.contract import DESCRIPTOR_SET, ROOT

PROGRAM = """
import sys
from pathlib import Path
from tools.gen import generate
generate(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for what running the code leaves behind."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_gen_and_the_descriptor_set_are_fresh(tmp_path: Path) -> None:
    """The server would serve another contract than the one that was reviewed. Run `make gen`."""
    fresh, descriptors = tmp_path / "gen", tmp_path / "descriptors.binpb"
    # protoc finds its plugins on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    made = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(fresh), str(descriptors)],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert contents(ROOT / "gen") == contents(fresh)
    assert descriptors.read_bytes() == DESCRIPTOR_SET.read_bytes()


def test_envoy_can_print_error_details() -> None:
    """Callers of JSON would read errors without their reasons."""
    files = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes()).file
    assert "google/rpc/error_details.proto" in {file.name for file in files}


def test_the_descriptor_set_is_complete() -> None:
    """Envoy would refuse to start."""
    files = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes()).file
    there = {file.name for file in files}
    assert {needed for file in files for needed in file.dependency} <= there
