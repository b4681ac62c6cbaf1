"""Watching processes from a test, without sleeping blindly."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.01


def is_alive(pid: int) -> bool:
    """Whether a process runs. One that nobody has reaped yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # After the name in parentheses, which may hold anything, comes the state.
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def wait_until(holds: Callable[[], bool], *, what: str, timeout_seconds: float = 10) -> None:
    """Returns once it holds. Fails, naming `what` was waited for, after the time limit.

    Blocks: for tests whose other side is another process.
    """
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {timeout_seconds:g} s in vain: {what}"
        time.sleep(_POLL_SECONDS)
