"""`guerdon` as an operator types it: in a process of its own, with its own settings and folder.

What takes seconds is importing. So the processes are forked off one that has imported what commands
import, as `multiprocessing` offers it. Tests of what is imported start Python themselves.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from server.__main__ import main
from tests.support.files import ROOT

SECONDS_MAX = 60
_IMPORTED = ["server.serving", "server.working"]
_IMPORTED += [f"server.commands.{each}" for each in ("campaign", "delivery", "lane", "ledger")]
_IMPORTED += [f"server.commands.{each}" for each in ("merchant", "migrate", "process", "rate")]
_IMPORTED += [f"server.commands.{each}" for each in ("secrets", "serve", "status", "work")]

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(_IMPORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    output: str
    problems: str

    @property
    def said(self) -> str:
        return self.output + self.problems

    @property
    def document(self) -> dict[str, Any]:
        """What it printed as JSON."""
        found: dict[str, Any] = json.loads(self.output)
        return found


class Command:
    """A command that runs, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        stdin, self._answers = os.pipe()
        self._said, written = zip(os.pipe(), os.pipe(), strict=True)
        theirs = [Connection(stdin, writable=False)]
        theirs += [Connection(end, readable=False) for end in written]
        self._process = _FORKING.Process(
            target=_run, args=(list(words), dict(environment), folder, theirs), daemon=True
        )
        self._process.start()
        for end in theirs:
            end.close()
        self.stdout, self._stderr = asyncio.StreamReader(), asyncio.StreamReader()

    async def listen(self) -> None:
        """Begins to read what it says. Comes right after it was started."""
        for end, reader in zip(self._said, (self.stdout, self._stderr), strict=True):
            protocol = asyncio.StreamReaderProtocol(reader)
            await asyncio.get_running_loop().connect_read_pipe(
                lambda protocol=protocol: protocol,  # type: ignore[misc] # one of each
                os.fdopen(end, "rb"),
            )

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As it ended; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def communicate(self, answer: bytes = b"") -> tuple[bytes, bytes]:
        """Types an answer, waits until it has ended, and returns what it said until then."""
        os.write(self._answers, answer)
        os.close(self._answers)
        async with asyncio.timeout(SECONDS_MAX):
            output, problems = await asyncio.gather(self.stdout.read(), self._stderr.read())
            await asyncio.to_thread(self._process.join)
        return output, problems


async def start(*words: str, environment: Mapping[str, str], folder: Path = ROOT) -> Command:
    """Types a command. The variables of `environment` are all that it sees."""
    command = Command(words, environment, folder)
    await command.listen()
    return command


async def ended(
    *words: str, environment: Mapping[str, str], folder: Path = ROOT, answer: str = ""
) -> Ended:
    """Types a command, once it has ended."""
    command = await start(*words, environment=environment, folder=folder)
    output, problems = await command.communicate(answer.encode())
    assert command.returncode is not None
    return Ended(code=command.returncode, output=output.decode(), problems=problems.decode())


def _run(
    words: list[str], environment: dict[str, str], folder: Path, ends: Sequence[Connection]
) -> None:
    for number, end in enumerate(ends):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - until the process ends
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    main(words, prog_name="guerdon")
