"""The log files of child processes: one each, appended to, bounded while they are written."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import BinaryIO

# Beyond this the older part of a file is set aside; one predecessor is kept.
BYTES_MAX = 16 << 20

_TAIL_BYTES_MAX = 16 * 1024
_TAIL_LINES = 15
_LINE_BYTES_MAX = 1 << 20

# From <linux/falloc.h>.
_FALLOC_FL_COLLAPSE_RANGE = 0x08


def open_log(path: Path) -> BinaryIO:
    """Opens a log for appending, which `shorten` relies on."""
    # Logs hold no secrets; but libraries write into them as well, and nobody else reads them.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.open("ab")


def shorten(path: Path, *, bytes_max: int = BYTES_MAX) -> bool:
    """Makes a log that is too large `<name>.1`, while it is written. Returns whether it did.

    Whoever writes has the file open and knows nothing of this. Blocks for as long as it takes to
    copy the file.

    The kernel takes the copied part out of the file; what is appended meanwhile stays behind it, so
    that no line is lost, and nobody who writes waits for a reader that may be gone. File systems
    that cannot do that (tmpfs, btrfs) have the file cut to nothing once all of it is copied: there
    a line may be lost that is written between the last look and the cut.
    """
    try:
        with path.open("r+b") as log:
            size = os.fstat(log.fileno()).st_size
            if size <= bytes_max:
                return False
            block = os.fstatvfs(log.fileno()).f_bsize
            # Not all of it: the kernel takes no range out that reaches the end.
            taken = (size - 1) // block * block
            end = _end_of_line(log, taken)
            _copy(log, path, end)
            if taken and _take_out(log, taken):
                # The rest of the line at the border is in the copy.
                log.seek(0)
                log.write(b" " * (end - taken))
            else:
                _copy_rest_and_cut(log, path, end)
    except FileNotFoundError:
        return False
    return True


def _end_of_line(log: BinaryIO, place: int) -> int:
    """Behind the line that stands at a place; the place itself if a line ends before it."""
    if place == 0:
        return 0
    log.seek(place - 1)
    rest = log.read(_LINE_BYTES_MAX)
    # A line without an end is torn.
    return place + max(rest.find(b"\n"), 0)


def _copy(log: BinaryIO, path: Path, end: int) -> None:
    """The beginning of a log as its predecessor, whole or not at all."""
    draft = _predecessor(path).with_suffix(".part")
    with draft.open("wb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        log.seek(0)
        left = end
        while left > 0 and (piece := log.read(min(left, 1 << 20))):
            copy.write(piece)
            left -= len(piece)
    draft.replace(_predecessor(path))


def _copy_rest_and_cut(log: BinaryIO, path: Path, place: int) -> None:
    with _predecessor(path).open("ab") as copy:
        log.seek(place)
        while True:
            shutil.copyfileobj(log, copy)
            if os.fstat(log.fileno()).st_size == log.tell():
                os.ftruncate(log.fileno(), 0)
                return


def _take_out(log: BinaryIO, count: int) -> bool:
    """Takes so many bytes out of the beginning of a file, in one step. False: it cannot."""
    fallocate = getattr(ctypes.CDLL(None), "fallocate64", None)
    if fallocate is None:
        return False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    done: int = fallocate(log.fileno(), _FALLOC_FL_COLLAPSE_RANGE, 0, count)
    return done == 0


def _predecessor(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def tail(path: Path, *, start: int = 0) -> str:
    """The last lines of a log, indented for a message, with its name above.

    Nothing before byte `start` is shown, unless the log was shortened since: an earlier run's lines
    would mislead.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(start if start <= size else 0, size - _TAIL_BYTES_MAX))
        lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join([f"The end of {path}:", *(f"  {line}" for line in lines or ["(empty)"])])
