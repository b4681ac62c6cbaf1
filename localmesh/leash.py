"""Ties a child process to the life of its parent, by the kernel."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

# From <sys/prctl.h>. The first argument of prctl(2).
_PR_SET_PDEATHSIG = 1


def tied_to_this_process(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child runs before its program: it is sent `death_signal` when we are gone.

    For `preexec_fn`. The kernel watches the *thread* that starts the child, so start
    children from a thread that lives as long as they should. A program that changes its
    user loses the tie and has to make it again (`setpriv --pdeathsig`).

    None where the kernel offers no such thing, that is anywhere but on Linux.
    """
    if sys.platform != "linux":
        return None
    # Everything is looked up here: between fork and exec only the call itself is safe.
    prctl = ctypes.CDLL(None).prctl
    parent_pid = os.getpid()
    number = int(death_signal)

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        # The parent may have gone before the tie was made; then nobody would send anything.
        if os.getppid() != parent_pid:
            os._exit(1)

    return tie
