"""A part that no stack knows: one class, and one line in a list."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from localmesh.errors import StackError
from localmesh.parts.part import Part, PartContext
from localmesh.ports import LOOPBACK, PortWish
from localmesh.probes import problem_of_url
from localmesh.processes import Child
from localmesh.progress import PartState, SilentReporter
from localmesh.running_parts import Steps
from localmesh.stack import Stack
from server.edge.settings import EdgeSettings
from tests.localmesh.test_stack import STAND_IN
from tests.support.processes import is_alive


class Pages(Part):
    """Shows the files of a folder that it makes."""

    name = "pages"
    port = PortWish(port=0)

    async def prepare(self, context: PartContext) -> None:
        (context.folder / "pages").mkdir()
        (context.folder / "pages" / "index.html").write_text("found")

    def child(self, context: PartContext) -> Child:
        port = str(context.ports[self.name])
        return Child(
            name=self.name,
            command=(sys.executable, "-m", "http.server", "--bind", LOOPBACK, port),
            environment={},
            folder=context.folder / "pages",
        )

    async def why_not_ready(self, context: PartContext) -> str:
        return await asyncio.to_thread(problem_of_url, self.url(context))

    def additions(self, context: PartContext) -> Mapping[str, str]:
        return {"PAGES_URL": self.url(context)}

    def url(self, context: PartContext) -> str:
        return f"http://{context.address_of(self.name)}/index.html"


class Gate(Pages):
    """Stands in front of the servers, and may be closed to one of them."""

    closed_to = ""

    async def why_not_passed_on(self, name: str, context: PartContext) -> str:
        return f"{self.name} is closed to {name}" if name == self.closed_to else ""


class StackWith(Stack):
    """A stack without Envoy, with stand-ins for our own program, and a further part first."""

    def __init__(self, folder: Path, part: Part, *, said: list[str]) -> None:
        super().__init__(
            folder=folder,
            environment={"PATH": os.defpath},
            reporter=SilentReporter(said.append),
            durable=False,
            with_envoy=False,
            program=STAND_IN,
        )
        self._part = part

    def steps(self, edge: EdgeSettings) -> Steps:
        return [[self._part], *super().steps(edge)]


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(entry.split("=", maxsplit=1) for entry in entries)


async def test_a_further_part_is_a_class_and_a_line(tmp_path: Path) -> None:
    """A document store or a chain would have to be taught to the stack in ten places."""
    said: list[str] = []
    async with StackWith(tmp_path, Pages(), said=said) as stack:
        url = f"http://{LOOPBACK}:{stack.ports['pages']}/index.html"
        pids = {name: process.pid for name, process in stack.processes.items()}
        assert list(pids) == ["pages", "postgres", "serve-1", "serve-2", "work"]
        assert await asyncio.to_thread(problem_of_url, url) == ""
        for name in ("serve-1", "serve-2", "work"):
            assert environment_of(pids[name])["PAGES_URL"] == url
        assert "PAGES_URL" not in environment_of(pids["postgres"])

        os.kill(pids["pages"], signal.SIGKILL)
        await stack.until_ready("pages", other_than=pids["pages"])
        again = stack.processes["pages"].pid
        assert is_alive(again)
        assert await asyncio.to_thread(problem_of_url, url) == ""
        assert said[0].startswith("pages ended unexpectedly (ended by SIGKILL)")

    assert not any(is_alive(pid) for pid in (again, *pids.values()))


class NeverReady(Pages):
    ready_seconds_max = 0.5

    async def why_not_ready(self, context: PartContext) -> str:
        return f"nobody has opened {context.address_of(self.name)}"


async def test_what_a_part_lacks_ends_the_start_in_its_words(tmp_path: Path) -> None:
    """Somebody would read which part it was, and not what it waits for."""
    with pytest.raises(StackError, match=r"pages was not ready within 0\.5 s: nobody has opened"):
        async with StackWith(tmp_path, NeverReady(), said=[]):
            pytest.fail("started")


class Unprepared(Pages):
    async def prepare(self, context: PartContext) -> None:
        raise StackError(f"{self.name} has no paper")


async def test_what_cannot_be_prepared_ends_the_start(tmp_path: Path) -> None:
    """It would be run on nothing."""
    with pytest.raises(StackError, match="pages has no paper"):
        async with StackWith(tmp_path, Unprepared(), said=[]):
            pytest.fail("started")


async def test_a_part_is_ready_when_calls_reach_it(tmp_path: Path) -> None:
    """After a restart, calls would go to a server that what stands in front does not see yet."""
    gate = Gate()
    async with StackWith(tmp_path, gate, said=[]) as stack:
        gate.closed_to = "serve-2"
        await stack.until_ready("serve-1")
        waiting = asyncio.create_task(stack.until_ready("serve-2"))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        gate.closed_to = ""
        await waiting


def test_a_part_that_listens_shows_its_address() -> None:
    """Nobody would know where it is."""
    context = PartContext(folder=Path("/"), ports={"pages": 1234}, environment={})

    assert Pages().note(context, PartState.STARTING) == "127.0.0.1:1234"
