"""Ends waits that last too long, all of them with one timer.

A timer of its own for each call would cost the call a fiftieth of its time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

LOOKS_A_WAIT = 20
"""How often it is looked in the time that a wait may last."""


class LateError(Exception):
    """What was waited for did not come in time."""


class Waits:
    """The tasks that wait, oldest first. `with waits:` around what a task may wait for.

    Raises:
        LateError: it lasted longer than `seconds_max`, by a twentieth at the most.
    """

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._began: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._is_looking = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._began[task] = loop.time()
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(self._seconds_max / LOOKS_A_WAIT, self._look, loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        del self._began[task]
        if self._late:
            is_late = task in self._late
            self._late.discard(task)
            # Somebody else may have ended the call as well.
            if is_late and task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise LateError

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, began in self._began.items():
            if now - began < self._seconds_max:
                break
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        self._is_looking = bool(self._began)
        if self._is_looking:
            loop.call_later(self._seconds_max / LOOKS_A_WAIT, self._look, loop)
