"""Follows `docs/clients.md`: writes its files and runs its commands in the order of the page."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localmesh.stack import Stack
from tests.support.files import ROOT

DOCUMENT = ROOT / "docs" / "clients.md"
NEEDED = "What you need"
PRINTED_BY_ALL = "What the clients do"
MESH = "localhost:8081"

_COMMANDS = "sh"
_PRINTED = "text"
_BLOCK = re.compile(
    r"(?:`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: commands, what they print, or a file."""

    file: str
    kind: str
    text: str

    @property
    def script(self) -> str:
        """What does to the folder what the block says."""
        if self.kind == _COMMANDS:
            return self.text
        return f"cat > {self.file} <<'END_OF_FILE'\n{self.text}END_OF_FILE\n" if self.file else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands below one heading."""

    blocks: Sequence[Block]

    @property
    def script(self) -> str:
        return "".join(block.script for block in self.blocks)

    @property
    def printed(self) -> str:
        return "".join(block.text for block in self.blocks if block.kind == _PRINTED)

    def file(self, name: str) -> str:
        """The text of the file of this name."""
        return next(block.text for block in self.blocks if block.file == name)


def sections() -> Mapping[str, Section]:
    """The sections of the page that have blocks, by their headings."""
    parts = re.split(r"^## (.+)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {
        heading: [
            Block(file=each["file"] or "", kind=each["kind"], text=each["text"])
            for each in _BLOCK.finditer(text)
        ]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }
    return {heading: Section(blocks=blocks) for heading, blocks in found.items() if blocks}


def script_of(heading: str, mesh_address: str) -> str:
    """One shell script: what every client needs, then the section, at the mesh that runs."""
    needed = sections()[NEEDED].script
    assert needed.count(MESH) == 1
    return needed.replace(MESH, mesh_address) + sections()[heading].script


def checkout_of(stack: Stack, folder: Path) -> Path:
    """A folder that looks as if somebody had typed `make up` in it."""
    folder.mkdir()
    (folder / ".guerdon").symlink_to(stack.folder)
    for name in ("envoy", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    return folder


async def follow(
    heading: str, stack: Stack, folder: Path, *, environment: Mapping[str, str] | None = None
) -> str:
    """Does in an empty folder what a section says; returns what that printed.

    Nothing of the tests' own Python is seen there.
    """
    empty = folder / "empty"
    empty.mkdir()
    hidden = ("GUERDON", "PYTHON", "VIRTUAL_ENV", "MYPY")
    seen = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script_of(heading, stack.mesh_address),
        cwd=empty,
        env={
            **seen,
            "GUERDON": str(checkout_of(stack, folder / "checkout")),
            **(environment or {}),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            printed, complained = (each.decode() for each in await process.communicate())
    finally:
        # What it started as well.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{heading}: exit {process.returncode}\n{printed}\n{complained}"
    return printed
