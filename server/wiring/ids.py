"""Fresh ids, of the time that all processes agree on."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VERSION_7, _VARIANT = 7 << 76, 2 << 62
_LOW_BITS = 62
_LOW = (1 << _LOW_BITS) - 1
_SEED_BITS = 73
_STEP_BITS = 32
"""So many ids of one millisecond as fit into the bits behind it: 2 ** 41 on the average."""


class TimedIds:
    """Makes UUIDs of version 7 by a clock; those of one millisecond grow as they are made.

    New rows lie together in an index, and lists are in the order of their ids. By the host's own
    clock a list would show what one host recorded among what others recorded earlier or later.
    """

    __slots__ = ("_clock", "_last", "_millisecond")

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._millisecond = -1
        self._last = 0

    def __call__(self) -> UUID:
        """A fresh id."""
        millisecond = (self._clock() - _EPOCH) // _MILLISECOND
        if millisecond == self._millisecond:
            self._last += 1 + secrets.randbits(_STEP_BITS)
        else:
            self._millisecond, self._last = millisecond, secrets.randbits(_SEED_BITS)
        high, low = self._last >> _LOW_BITS, self._last & _LOW
        return UUID(int=millisecond << 80 | _VERSION_7 | high << 64 | _VARIANT | low)
