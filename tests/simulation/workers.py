"""Starts, kills, freezes and thaws the workers of a simulation."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation import worker
from tests.simulation.worker import WorkerOrder

COUNT = 2
BATCH_SIZES = (2, 3, 5, 200)
_ENDED_SECONDS = 10


class Workers:
    """Two worker processes, started again whenever they were killed.

    A new one takes milliseconds: it is forked from a process that has loaded everything.
    """

    def __init__(self, *, url: str, clock: Path, log: Path) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([worker.__name__])
        self._url = url
        self._clock = clock
        self._log = log
        self._random = Random(0)
        self._running: list[ForkServerProcess] = []
        self._frozen: set[int] = set()
        self._started = 0
        self._is_hasty = False

    def begin(self, seed: int) -> None:
        """What is drawn for the workers from now on depends on the seed alone."""
        self._random = Random(f"workers of {seed}")

    def start(self, *, is_hasty: bool) -> None:
        """Has as many running as there are to be."""
        self._is_hasty = is_hasty
        self._log.touch()
        while len(self._running) < COUNT:
            self._started += 1
            order = WorkerOrder(
                name=f"worker-{self._started}",
                url=self._url,
                clock=self._clock,
                log=self._log,
                batch_size=self._random.choice(BATCH_SIZES),
                is_hasty=is_hasty,
                starter=os.getpid(),
            )
            process = self._context.Process(target=worker.run, args=(order,), daemon=True)
            process.start()
            self._running.append(process)

    def kill(self) -> None:
        """Kills one where it stands, and starts another."""
        self._end(self._random.choice(self._running))
        self.start(is_hasty=self._is_hasty)

    def freeze(self) -> int | None:
        """Stops one in the middle of what it does; which one, unless one is stopped already."""
        if self._frozen:
            return None
        process = self._random.choice(self._running)
        if process.pid is None or not process.is_alive():
            return None
        os.kill(process.pid, signal.SIGSTOP)
        self._frozen.add(process.pid)
        return process.pid

    def thaw(self, pid: int) -> None:
        """Lets one go on that was frozen, unless it was killed meanwhile."""
        if pid in self._frozen:
            self._frozen.remove(pid)
            os.kill(pid, signal.SIGCONT)

    def thaw_all(self) -> None:
        for pid in list(self._frozen):
            self.thaw(pid)

    def stop(self) -> None:
        """Ends all of them."""
        for process in list(self._running):
            self._end(process)

    def heard(self) -> list[dict[str, Any]]:
        """What workers logged since it was asked last."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        self._log.write_text("", encoding="utf-8")
        # One that was killed while it wrote leaves half a line.
        return [json.loads(line) for line in lines if line.endswith("}")]

    def _end(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self._running.remove(process)
        self._frozen.discard(process.pid)
        process.kill()
        process.join(_ENDED_SECONDS)
        process.close()
