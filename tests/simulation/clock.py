"""The time of a simulation, the same in all of its processes."""

from __future__ import annotations

import mmap
import struct
import time
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.flows import NOON, Clock

_FORM = struct.Struct("ddd")


class SharedClock(Clock):
    """Runs as fast as it is told to, and jumps ahead when it is set.

    Processes share it by the file that it stands in.
    """

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), _FORM.size)

    @classmethod
    def made(cls, file: Path) -> SharedClock:
        """A new one. It begins when it is started."""
        file.write_bytes(bytes(_FORM.size))
        clock = cls(file)
        clock.start(speed=1)
        return clock

    def start(self, *, speed: float) -> None:
        """Begins anew, at noon, running so many times as fast as the host's."""
        self._write(time.time(), 0, speed)

    def go_on(self, *, speed: float) -> None:
        """From now on runs so many times as fast as the host's."""
        self._write(time.time(), (self.now - NOON).total_seconds(), speed)

    @property
    def now(self) -> datetime:
        origin, ahead, speed = _FORM.unpack(self._memory[:])
        return NOON + timedelta(seconds=(time.time() - origin) * speed + ahead)

    @now.setter
    def now(self, instant: datetime) -> None:
        origin, ahead, speed = _FORM.unpack(self._memory[:])
        later = (instant - self.now).total_seconds()
        assert later >= 0, "time does not go back"
        self._write(origin, ahead + later, speed)

    def close(self) -> None:
        self._memory.close()

    def _write(self, origin: float, ahead: float, speed: float) -> None:
        self._memory[:] = _FORM.pack(origin, ahead, speed)
