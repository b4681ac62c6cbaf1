"""The Go client of `docs/clients.md`, compiled and run: `make clients`.

Not among the tests of `make test`: the toolchain is 75 MB, and compiling gRPC takes a minute.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from localmesh.stack import Stack
from tests.support.client_docs import PRINTED_BY_ALL, follow, sections
from tests.support.files import ROOT
from tests.support.go_modules import proxy_of_debian

TOOLCHAIN = ROOT / ".venv" / "go" / "go" / "bin"
SECONDS = 900


def go_environment(folder: Path) -> dict[str, str]:
    """Where the pinned Go finds its modules and keeps what it makes."""
    assert (TOOLCHAIN / "go").exists(), "There is no Go toolchain in .venv/go: run `make clients`."
    programs = folder / "programs"
    programs.mkdir()
    (programs / "buf").symlink_to(ROOT / ".venv" / "bin" / "buf")
    path = [str(programs), str(TOOLCHAIN), os.environ.get("PATH", os.defpath)]
    environment = {
        "PATH": os.pathsep.join(path),
        "GOPATH": str(folder / "go"),
        "GOCACHE": str(folder / "cache"),
        "GOTOOLCHAIN": "local",
        # So that the folder can be removed.
        "GOFLAGS": "-modcacherw",
    }
    return environment | modules_of(folder, environment)


def modules_of(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """What says to Go where modules are: nothing if its usual place answers, else Debian's."""
    asked = subprocess.run(
        [TOOLCHAIN / "go", "list", "-m", "-versions", "google.golang.org/protobuf"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if asked.returncode == 0:
        return {}
    nowhere = "No Go modules can be had here, neither from a module proxy nor from Debian"
    assert shutil.which("dpkg-deb"), f"{nowhere}: {asked.stderr}"
    # Debian has signed them; the public checksums are of other archives.
    return {"GOPROXY": proxy_of_debian(folder), "GOSUMDB": "off"}


def formatter_on(file: Path) -> str:
    """What Go's formatter would change."""
    command = [str(TOOLCHAIN / "gofmt"), "-d", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.timeout(SECONDS)
async def test_a_go_client_works(stack: Stack) -> None:
    """Its stubs could not be made, or not be compiled, or not be called."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environment = go_environment(folder)
        printed = await follow("Go", stack, folder, environment=environment)
        complaint = formatter_on(folder / "empty" / "client.go")

    assert printed == sections()[PRINTED_BY_ALL].printed
    assert complaint == ""
