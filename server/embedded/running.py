"""How other processes find a running stack: `stack.json` and the lock of its folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from server.embedded.errors import StackError
from server.embedded.private_files import write_private
from server.embedded.probes import complaint_of_url

_STATE_FILE = "stack.json"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A stack as others see it. `pid` is its supervisor's; `pids` are the children's by name.

    `public_url` is the listener for the world, JSON and gRPC-Web; `mesh_url` and
    `mesh_address` are one listener, as JSON clients and gRPC clients write it. `admin_sockets`
    are the Envoys' own, by the name of the listener. Without Envoy these are empty, and the address
    is that of one server process.
    """

    pid: int
    public_url: str
    mesh_url: str
    mesh_address: str
    admin_sockets: Mapping[str, str]
    database_url: str
    service_token: str
    pids: Mapping[str, int]


def read_recorded(folder: Path) -> RunningStack | None:
    """The stack that somebody runs on the folder, whether it answers or not; None: nobody does."""
    recorded = _read_state(folder)
    return None if recorded is None or not is_alive(recorded.pid) else recorded


def read_running(folder: Path) -> RunningStack | None:
    """The stack that runs on the folder and answers `/health`; None when there is none."""
    recorded = read_recorded(folder)
    if recorded is None or not recorded.public_url:
        return None
    return None if complaint_of_url(f"{recorded.public_url}/health") else recorded


def write_state(folder: Path, stack: RunningStack) -> None:
    """Leaves word for `read_running`. The file holds secrets and is its owner's alone."""
    write_private(folder / _STATE_FILE, json.dumps(asdict(stack), indent=2) + "\n")


def remove_state(folder: Path) -> None:
    """Takes the word away. Only for whoever has sole use of the folder."""
    (folder / _STATE_FILE).unlink(missing_ok=True)


@contextmanager
def sole_use_of(folder: Path) -> Iterator[None]:
    """Holds the folder for this process. The kernel lets go when the process ends, however.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    with (folder / _LOCK_FILE).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            recorded = _read_state(folder)
            raise AlreadyRunningError(
                folder, None if recorded is None else recorded.pid
            ) from problem
        yield


def _read_state(folder: Path) -> RunningStack | None:
    try:
        fields: dict[str, Any] = json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
        return RunningStack(**fields)
    # Gone, or written by another version: nobody to be found either way.
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
