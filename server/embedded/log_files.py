"""The log files of child processes: one each, appended to, bounded at every start."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

# Beyond this a file is set aside when its process starts; one predecessor is kept.
_BYTES_MAX = 16 * 1024 * 1024

_TAIL_BYTES_MAX = 16 * 1024
_TAIL_LINES = 15


def open_log(path: Path) -> BinaryIO:
    """Opens a log for appending. A large one becomes `<name>.1` first."""
    # Logs hold no secrets; but libraries write into them as well, and nobody else reads them.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _BYTES_MAX:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def tail(path: Path, *, start: int = 0) -> str:
    """The last lines of a log, indented for a message, with its name above.

    Nothing before byte `start` is shown: an earlier run's lines would mislead.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(start, size - _TAIL_BYTES_MAX))
        lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join([f"The end of {path}:", *(f"  {line}" for line in lines or ["(empty)"])])
