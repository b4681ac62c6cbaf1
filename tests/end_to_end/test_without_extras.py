"""The package and what it needs, without its extras: a server has neither Envoy nor pictures."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import signal
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from server.embedded.postgres import Postgres
from tests.server.edge.running import free_ports
from tests.support.files import ROOT
from tests.support.mesh import environment_for, own_database, url_of

BYTES_MAX = 200_000_000
READY_SECONDS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment, and how many bytes an installer would write into it."""

    python: Path
    size: int

    def command(self, *words: str, settings: dict[str, str]) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if "GUERDON" not in name}
        kept.pop("PYTHONPATH", None)
        return subprocess.Popen(
            [self.python, "-m", "server", *words],
            cwd=ROOT,
            env={**kept, **settings, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, *words: str) -> tuple[int, str]:
        """How a command ended, and what it said."""
        process = self.command(*words, settings={})
        output, problems = process.communicate(timeout=30)
        return process.returncode, output + problems


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install guerdon` would make: the files of this environment that belong to it."""
    folder = tmp_path_factory.mktemp("plain")
    venv.create(folder, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    size = 0
    for name in sorted(needed_by("guerdon") | {"pip"}):
        for file in importlib.metadata.distribution(name).files or ():
            path = Path(str(file.locate()))
            # The project itself is found by its folder; here it only has a name and a version.
            is_left_out = name == "guerdon" and not file.parts[0].endswith(".dist-info")
            if is_left_out or ".." in file.parts or path.suffix == ".pyc" or not path.exists():
                continue
            link = packages / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
            size += path.stat().st_size
    return Environment(python=folder / "bin" / "python", size=size)


def needed_by(distribution: str) -> set[str]:
    """A distribution and all that it needs, its extras left out where nothing asks for them."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(canonicalize_name(distribution), frozenset())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        for text in importlib.metadata.requires(name) or ():
            needed = Requirement(text)
            asked = [{"extra": extra} for extra in ("", *extras)]
            if needed.marker is None or any(map(needed.marker.evaluate, asked)):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in found}


def test_it_is_small(plain: Environment) -> None:
    """A server would carry a plotting library, and what is unsafe in it."""
    assert 50_000_000 < plain.size < BYTES_MAX


@pytest.mark.parametrize(("command", "extra"), [("up", "embedded"), ("demo", "demo")])
def test_what_needs_an_extra_says_which(plain: Environment, command: str, extra: str) -> None:
    """A stack trace names a module, not what to install."""
    code, said = plain.said(command)

    assert code == 1, said
    assert f"pip install 'guerdon[{extra}]'" in said
    assert len(said.strip().splitlines()) == 1, said


@pytest.mark.parametrize(
    "command", ["serve", "work", "migrate", "merchant", "campaign", "rate", "ledger", "up"]
)
def test_other_commands_import_what_they_use(plain: Environment, command: str) -> None:
    """One import of an extra at the top of a file, and no server starts any more."""
    code, said = plain.said(command, "--help")

    assert code == 0, said
    assert "Usage" in said


def test_the_version_is_told(plain: Environment) -> None:
    """Whoever reports a fault is asked for it."""
    code, said = plain.said("--version")

    assert code == 0, said
    assert importlib.metadata.version("guerdon") in said


@pytest.mark.timeout(60)
async def test_serve_starts_and_serves(plain: Environment, postgres: Postgres) -> None:
    """The demo's picture would decide whether a shop's orders are taken."""
    async with own_database(postgres, pool_size=1) as engine:
        url = url_of(engine)
    [port] = free_ports(1)
    settings = environment_for(url, LISTEN_PORT=str(port), DRAIN_SECONDS="0.2")
    process = plain.command("serve", settings=settings)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(
                health_pb2.HealthCheckRequest(), timeout=READY_SECONDS_MAX, wait_for_ready=True
            )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.send_signal(signal.SIGTERM)
        _, problems = await asyncio.to_thread(process.communicate, timeout=20)
        assert process.returncode == 0, problems
    finally:
        process.kill()
        process.wait()
