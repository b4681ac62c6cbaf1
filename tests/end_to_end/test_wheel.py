"""The wheel with its extras: an operator's Envoy, and the mesh on one host, without a checkout."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from localmesh.postgres import Postgres
from server.running_stack import read_running
from tests.server.edge.running import free_ports
from tests.support.installed import Environment, install
from tests.support.mesh import environment_for, own_database, url_of
from tests.support.processes import wait_until

START_SECONDS_MAX = 60
CONNECTIONS = ("--public-connections", "200", "--mesh-connections", "100")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install 'guerdon[embedded]'` makes."""
    return install(tmp_path_factory.mktemp("embedded"), extras="embedded")


def run_envoy(
    embedded: Environment, command: list[str], folder: Path, name: str
) -> subprocess.Popen[bytes]:
    """Envoy as an operator starts it, in a folder and with its log there."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(embedded.programs / command[0]), *command[1:]],
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            stdout=log,
            stderr=log,
        )


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    with process:
        try:
            yield
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_envoy_takes_what_is_written_for_another_host(
    embedded: Environment, tmp_path: Path
) -> None:
    """Envoy would look for its copy of the contract on the host that made it."""
    made, there = tmp_path / "made", tmp_path / "there"

    code, said = embedded.said(
        *("envoy", "configure", str(made), "--server", "serve-1.internal:50051"),
        *("--public", "0.0.0.0:8080", "--descriptors", str(there / "edge.binpb")),
    )
    assert code == 0, said
    shutil.move(made, there)

    processes = {
        name: run_envoy(
            embedded,
            ["envoy", "--mode", "validate", "--config-path", str(there / f"{name}.json")],
            there,
            name,
        )
        for name in ("public", "mesh")
    }
    for name, process in processes.items():
        with process:
            assert process.wait(START_SECONDS_MAX) == 0, (there / f"{name}.log").read_text()


@pytest.mark.timeout(120)
async def test_envoy_and_serve_of_the_wheel_answer(
    embedded: Environment, postgres: Postgres, tmp_path: Path
) -> None:
    """An operator who does what the command says would have an Envoy that leads nowhere."""
    async with own_database(postgres, pool_size=1) as engine:
        settings = environment_for(url_of(engine))
    port, public, mesh = free_ports(3)
    folder = tmp_path / "envoy"
    code, said = embedded.said(
        *("envoy", "configure", str(folder), "--server", f"127.0.0.1:{port}", *CONNECTIONS),
        *("--public", f"127.0.0.1:{public}", "--mesh", f"127.0.0.1:{mesh}"),
        *("--admin-folder", "."),
    )
    assert code == 0, said
    assert "open 300 files" in said
    public_command, mesh_command = (
        shlex.split(line) for line in said.splitlines() if line.startswith("envoy ")
    )

    settings["GUERDON_LISTEN_PORT"] = str(port)
    with embedded.start("serve", settings=settings) as serve:
        try:
            with (
                ended(run_envoy(embedded, public_command, folder, "public")),
                ended(run_envoy(embedded, mesh_command, folder, "mesh")),
            ):
                for listener in (public, mesh):
                    url = f"http://127.0.0.1:{listener}/health/ready"
                    await asyncio.to_thread(
                        wait_until,
                        partial(answers, url),
                        what=url,
                        timeout_seconds=START_SECONDS_MAX,
                    )
                for name in ("public", "mesh"):
                    assert (folder / f"{name}.sock").stat().st_mode & 0o777 == 0o600
        finally:
            serve.terminate()


@pytest.mark.timeout(120)
def test_the_whole_mesh_starts(embedded: Environment) -> None:
    """`guerdon up` would look for what is in a checkout alone."""
    folder = embedded.elsewhere / ".guerdon"
    settings = {"GUERDON_DRAIN_SECONDS": "0"}
    with embedded.start("up", "--no-durable", settings=settings) as process:
        try:
            wait_until(
                lambda: process.poll() is not None or read_running(folder) is not None,
                what="a mesh that answers",
                timeout_seconds=START_SECONDS_MAX,
            )
            running = read_running(folder)
            assert running is not None, process.communicate()
            assert answers(f"{running.public_url}/health/ready")
            process.send_signal(signal.SIGINT)
            output, problems = process.communicate(timeout=START_SECONDS_MAX)
        finally:
            process.terminate()
    assert process.returncode == 0, output + problems
