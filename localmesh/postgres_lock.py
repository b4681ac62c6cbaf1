"""Who uses a PostgreSQL data folder, read from its `postmaster.pid`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from server.running_stack import is_alive

# Lines of postmaster.pid, counted from 0.
_PID, _PORT, _STATUS = 0, 3, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A living server on a data folder. `status` is its own word, such as `stopping`."""

    pid: int
    port: str
    status: str


# `pg_ctl status` would not do: it takes any living program that has the number in that file for
# the server, so that a container that was killed would not start again; and it says neither
# whether the server is on its way out nor its port.
def holder_of(data: Path) -> Holder | None:
    """The server that runs on `data`, or None.

    A file that a killed server left behind is no holder; PostgreSQL itself clears one whose
    process is gone. Where the system has given that number to another program since, as a
    restarted container does, PostgreSQL would refuse to start: then the file is removed.
    """
    lock = data / "postmaster.pid"
    try:
        lines = [line.strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return None
    if not lines or not lines[_PID].isdecimal():
        return None
    pid = int(lines[_PID])
    if not is_alive(pid):
        return None
    if not _serves(pid, data):
        lock.unlink(missing_ok=True)
        return None
    lines += [""] * (_STATUS + 1 - len(lines))
    return Holder(pid=pid, port=lines[_PORT] or "unknown", status=lines[_STATUS])


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server that may be on `data`."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # No /proc, or gone in this moment: leave the judgement to PostgreSQL.
        return True
    arguments = command.decode(errors="replace").split("\0")
    if Path(arguments[0]).name != "postgres":
        return False
    named = [value for flag, value in pairwise(arguments) if flag == "-D"]
    # Started by hand with a relative path, it may well be ours; with another one, it is not.
    return not any(Path(value).is_absolute() and Path(value) != data for value in named)
