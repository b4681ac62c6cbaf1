"""A small supervisor: starts child processes, starts them again when they die, ends them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from localmesh.log_files import BYTES_MAX, open_log, shorten, tail
from localmesh.unprivileged import Account, our_account

# Between SIGTERM and SIGKILL.
STOP_TIMEOUT_SECONDS = 15.0

# After an unexpected end: 1 s, 2 s, 4 s … A child that lived this long begins at 1 s again.
_FIRST_DELAY_SECONDS = 1.0
_DELAY_SECONDS_MAX = 30.0
_STEADY_SECONDS = 60.0

# How often logs are looked at, whether they are too large.
_LOGS_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """How one child process is run. `environment` is all that it sees of ours.

    `stop_signal` asks it to end; `death_signal` is what the kernel sends it when the
    supervisor is gone. `account` is whom it runs as.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    account: Account = field(default_factory=our_account)

    @property
    def program(self) -> list[str]:
        """The command, for `Popen` together with `options`."""
        return self.account.command(self.command, death_signal=self.death_signal)

    def options(self, log: BinaryIO) -> dict[str, Any]:
        """What `Popen` is called with, and what of asyncio takes the same."""
        return {
            "cwd": self.folder,
            "env": dict(self.environment),
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": subprocess.STDOUT,
            # Ctrl-C in the terminal reaches the supervisor alone, which ends them in order.
            "start_new_session": True,
            **self.account.options(death_signal=self.death_signal),
        }


@dataclass(slots=True, kw_only=True)
class ChildProcess:
    """A child as it runs now. `pid` changes when it is started again."""

    child: Child
    log: Path
    process: asyncio.subprocess.Process
    start_time: float
    # How often it ended without being asked to.
    failure_count: int = 0
    watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None


class Supervisor:
    """Owns child processes: each in its own process group, with its own log file.

    `say` gets a line whenever a child dies and when it is started again; `on_change` is
    called when a pid has changed. Children are started by the thread that runs the event
    loop, and the kernel ends them when that thread ends, even by SIGKILL. The loop is one of
    asyncio's own: uvloop starts no child as another user.

    Only processes that it started itself ever get a signal.
    """

    def __init__(
        self,
        *,
        log_folder: Path,
        say: Callable[[str], None],
        on_change: Callable[[], None],
        first_delay_seconds: float = _FIRST_DELAY_SECONDS,
        stop_timeout_seconds: float = STOP_TIMEOUT_SECONDS,
        log_bytes_max: int = BYTES_MAX,
    ) -> None:
        self.processes: dict[str, ChildProcess] = {}
        self._log_folder = log_folder
        self._say = say
        self._on_change = on_change
        self._first_delay_seconds = first_delay_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        # Names, in the order of their start; those of one step are stopped together.
        self._steps: list[tuple[str, ...]] = []
        # How long each log was when its child was started, other than by ourselves.
        self._log_starts: dict[str, int] = {}
        self._log_bytes_max = log_bytes_max
        self._logs_watcher: asyncio.Task[None] | None = None

    async def start(self, *children: Child) -> None:
        """Starts children and watches them from now on. They are stopped together.

        Raises:
            OSError: a program cannot be run. What was started before it stays.
        """
        if self._logs_watcher is None:
            self._logs_watcher = asyncio.create_task(self._watch_logs())
        self._steps.append(tuple(child.name for child in children))
        for child in children:
            assert child.name not in self.processes, f"{child.name} is started already"
            started = ChildProcess(
                child=child,
                log=self._log_of(child.name),
                process=await self._spawn(child),
                start_time=time.monotonic(),
            )
            self.processes[child.name] = started
            started.watcher = asyncio.create_task(self._watch(started))
        self._on_change()

    async def run(self, child: Child) -> int:
        """Runs a child to its end and returns its exit code. Ends it when cancelled."""
        process = await self._spawn(child)
        try:
            return await process.wait()
        finally:
            await self._end(process, child)

    async def restart(self, name: str) -> None:
        """Asks one child to end, waits for that, and starts it again at once."""
        running = self.processes[name]
        await self._unwatch(running)
        await self._end(running.process, running.child)
        running.process = await self._spawn(running.child)
        running.start_time = time.monotonic()
        running.watcher = asyncio.create_task(self._watch(running))
        self._on_change()

    async def stop_all(self) -> None:
        """Ends every child, the last step first. Takes the time limit a step at most.

        A child that does not end within the limit is killed, with its process group.
        """
        # First of all nothing is started again: a database that goes away must not bring
        # back what depends on it.
        for running in self.processes.values():
            await self._unwatch(running)
        while self._steps:
            step = [self.processes.pop(name, None) for name in self._steps.pop()]
            await asyncio.gather(
                *(self._end(each.process, each.child) for each in step if each is not None)
            )
        watcher, self._logs_watcher = self._logs_watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])

    def tail(self, name: str) -> str:
        """The last lines that a child wrote since somebody started it."""
        return tail(self._log_of(name), start=self._log_starts.get(name, 0))

    def _log_of(self, name: str) -> Path:
        return self._log_folder / f"{name}.log"

    async def _spawn(self, child: Child, *, is_again: bool = False) -> asyncio.subprocess.Process:
        with open_log(self._log_of(child.name)) as log:
            if not is_again:
                self._log_starts[child.name] = log.seek(0, os.SEEK_END)
            return await asyncio.create_subprocess_exec(*child.program, **child.options(log))

    async def _watch(self, running: ChildProcess) -> None:
        name = running.child.name
        delay_seconds = self._first_delay_seconds
        while True:
            code = await running.process.wait()
            running.failure_count += 1
            if time.monotonic() - running.start_time > _STEADY_SECONDS:
                delay_seconds = self._first_delay_seconds
            self._say(
                f"{name} ended unexpectedly ({_cause(code)}); starting it again in "
                f"{delay_seconds:g} s. Its log: {running.log}"
            )
            while True:
                await asyncio.sleep(delay_seconds)
                delay_seconds = min(delay_seconds * 2, _DELAY_SECONDS_MAX)
                try:
                    running.process = await self._spawn(running.child, is_again=True)
                except OSError as problem:
                    self._say(f"{name} cannot be started ({problem}); trying again.")
                else:
                    break
            running.start_time = time.monotonic()
            self._say(f"{name} runs again (process {running.pid}).")
            self._on_change()

    async def _watch_logs(self) -> None:
        """Keeps logs short: those of processes that run for months as well."""
        reported: set[str] = set()
        while True:
            await asyncio.sleep(_LOGS_EVERY_SECONDS)
            for name in list(self._log_starts):
                path = self._log_of(name)
                try:
                    if await asyncio.to_thread(shorten, path, bytes_max=self._log_bytes_max):
                        self._log_starts[name] = 0
                        reported.discard(name)
                except OSError as problem:
                    # A full disk has no room for the copy. The log grows on; nothing is lost.
                    if name not in reported:
                        self._say(f"The log {path} cannot be shortened ({problem}).")
                    reported.add(name)

    async def _unwatch(self, running: ChildProcess) -> None:
        watcher, running.watcher = running.watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])

    async def _end(self, process: asyncio.subprocess.Process, child: Child) -> None:
        if process.returncode is not None:
            return
        process.send_signal(child.stop_signal)
        try:
            async with asyncio.timeout(self._stop_timeout_seconds):
                await process.wait()
        except TimeoutError:
            self._say(
                f"{child.name} did not end within {self._stop_timeout_seconds:g} s of "
                f"{child.stop_signal.name}; killing it."
            )
            # Not reaped yet, so the number is still its own, and its group's.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _cause(code: int) -> str:
    """What an exit code says: of a process that ended itself, or was ended by a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
