"""The state of a stack that others find: `stack.json`, and the lock of its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from localmesh.errors import StackError
from localmesh.owner_only_files import write_owner_only
from server.running_stack import STATE_FILE, RunningStack, read_state

_LOCK_FILE = "lock"


class AlreadyRunningError(StackError):
    """Another process runs a stack on the folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(
            f"A stack is just starting or stopping on {folder}. Wait for it, or use another "
            "folder with --folder."
            if pid is None
            else f"A stack already runs on {folder} (process {pid}). Stop it with Ctrl-C in its "
            f"terminal or with `kill {pid}`, or use another folder with --folder."
        )


def write_state(folder: Path, stack: RunningStack) -> None:
    """Lets `read_running` find a stack. The file holds secrets and is its owner's alone."""
    write_owner_only(folder / STATE_FILE, json.dumps(asdict(stack), indent=2) + "\n")


def remove_state(folder: Path) -> None:
    """Lets nobody find it any more. Only for whoever has sole use of the folder."""
    (folder / STATE_FILE).unlink(missing_ok=True)


@contextmanager
def sole_use_of(folder: Path) -> Iterator[None]:
    """Holds the folder for this process. The kernel lets go when the process ends, however.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    # A file system without locks is an error: a file in their place would outlive a kill.
    lock = FileLock(folder / _LOCK_FILE, blocking=False, fallback_to_soft=False)
    try:
        held = lock.acquire()
    except Timeout as problem:
        recorded = read_state(folder)
        raise AlreadyRunningError(folder, None if recorded is None else recorded.pid) from problem
    with held:
        yield
