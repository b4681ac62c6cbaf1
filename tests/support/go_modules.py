"""Go modules out of Debian's source packages, for a machine that reaches no Go module proxy.

Debian ships the sources of Go libraries as packages. They are laid out here the way a module proxy
serves them, in a folder, so that the ordinary `go` commands find them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

RELEASE = "trixie"
"""The first release of Debian whose gRPC has `grpc.NewClient`."""

GO_VERSION = "1.22"
_SOURCES = Path("usr/share/gocode/src")
_LEFT_OUT = ("_test.go", "go.mod", "go.sum")
_MADE = "2024-07-25T00:00:00Z"
_UNDATED = "v0.0.0-20210726000000-e7812ac00000"
_PROTOBUF = "google.golang.org/protobuf"
_GRPC = "google.golang.org/grpc"
_GENPROTO = "google.golang.org/genproto/googleapis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Go module: Debian's package of it, its version there, and the modules that it imports."""

    package: str
    version: str
    needs: tuple[str, ...] = ()


MODULES: Mapping[str, Module] = {
    _PROTOBUF: Module(package="golang-google-protobuf-dev", version="v1.36.5"),
    _GRPC: Module(
        package="golang-google-grpc-dev",
        version="v1.64.0",
        needs=(
            _PROTOBUF,
            f"{_GENPROTO}/rpc",
            "github.com/golang/protobuf",
            "golang.org/x/net",
            "golang.org/x/sys",
        ),
    ),
    f"{_GRPC}/cmd/protoc-gen-go-grpc": Module(
        package="golang-google-grpc-dev", version="v1.64.0", needs=(_PROTOBUF,)
    ),
    f"{_GENPROTO}/rpc": Module(
        package="golang-google-genproto-dev", version=_UNDATED, needs=(_PROTOBUF,)
    ),
    f"{_GENPROTO}/api": Module(
        package="golang-google-genproto-dev", version=_UNDATED, needs=(_PROTOBUF,)
    ),
    "github.com/golang/protobuf": Module(
        package="golang-github-golang-protobuf-1-5-dev", version="v1.5.4", needs=(_PROTOBUF,)
    ),
    "golang.org/x/net": Module(
        package="golang-golang-x-net-dev",
        version="v0.27.0",
        needs=("golang.org/x/text", "golang.org/x/sys"),
    ),
    "golang.org/x/sys": Module(package="golang-golang-x-sys-dev", version="v0.22.0"),
    "golang.org/x/text": Module(package="golang-golang-x-text-dev", version="v0.22.0"),
}


def proxy_of_debian(folder: Path) -> str:
    """The address of a module proxy in the folder. It has the modules above and no others."""
    sources = _download(folder / "debian")
    proxy = folder / "proxy"
    for path, module in MODULES.items():
        _serve(proxy, path, module, sources)
    return proxy.as_uri()


def _download(folder: Path) -> Path:
    """The Go sources of Debian's packages: with the machine's mirror, apart from its own lists."""
    for name in ("lists/partial", "cache/archives/partial", "packages", "root"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(_mirror(), encoding="utf-8")
    apt = [
        "apt-get",
        "-qq",
        f"-oDir::Etc::sourcelist={sources}",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
        # Otherwise a user who may not see the folder.
        "-oAPT::Sandbox::User=root",
    ]
    packages = sorted({module.package for module in MODULES.values()})
    _run(*apt, "update")
    _run(*apt, "download", *packages, cwd=folder / "packages")
    for package in (folder / "packages").glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(folder / "root"))
    return folder / "root" / _SOURCES


def _mirror() -> str:
    """The line of a sources list for the release, at the mirror that the machine uses."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    names = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    codename = names.get("VERSION_CODENAME", "")
    found = _run(
        "apt-get",
        "indextargets",
        "--format",
        "deb $(REPO_URI)",
        "Created-By: Packages",
        f"RELEASE: {codename}",
        "COMPONENT: main",
    )
    assert found, f"apt-get knows no mirror of {codename or 'Debian'}"
    return f"{found.splitlines()[0]} {RELEASE} main\n"


def _serve(proxy: Path, path: str, module: Module, sources: Path) -> None:
    """Writes the four files by which a proxy answers for a module."""
    version, inside = module.version, f"{path}@{module.version}"
    needs = "".join(f"require {each} {MODULES[each].version}\n" for each in module.needs)
    description = f"module {path}\n\ngo {GO_VERSION}\n\n{needs}"
    folder = proxy / path / "@v"
    folder.mkdir(parents=True)
    (folder / "list").write_text(f"{version}\n", encoding="utf-8")
    answer = json.dumps({"Version": version, "Time": _MADE})
    (folder / f"{version}.info").write_text(answer, encoding="utf-8")
    (folder / f"{version}.mod").write_text(description, encoding="utf-8")
    others = [sources / each for each in MODULES if each.startswith(f"{path}/")]
    with ZipFile(folder / f"{version}.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr(f"{inside}/go.mod", description)
        for file in (sources / path).rglob("*"):
            is_ours = not any(file.is_relative_to(other) for other in others)
            if is_ours and file.is_file() and not file.name.endswith(_LEFT_OUT):
                archive.write(file, f"{inside}/{file.relative_to(sources / path)}")


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
