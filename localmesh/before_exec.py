"""What a child process asks of the kernel before its program begins. For `preexec_fn`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

# From <sys/prctl.h>. The first argument of prctl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def before_exec(
    death_signal: signal.Signals | None, *, no_new_privileges: bool = False
) -> Callable[[], None] | None:
    """The child is sent `death_signal` when we are gone, and may be kept from gaining rights.

    The kernel watches the *thread* that starts the child, so start children from a thread that
    lives as long as they should. A change of the user ends the watch. `Popen` changes it before it
    calls this; a program that changes its user itself has to ask again (`setpriv --pdeathsig`).

    None where the kernel offers no such thing, that is anywhere but on Linux.
    """
    if sys.platform != "linux":
        return None
    # Everything is looked up here: between fork and exec only the call itself is safe.
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    parent_pid = os.getpid()
    number = 0 if death_signal is None else int(death_signal)

    def ask() -> None:
        if no_new_privileges:
            # No program that is installed for root (set-user-id) makes the child root again.
            prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if number:
            prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
            # The parent may have gone before it was asked for; then nobody would send anything.
            if os.getppid() != parent_pid:
                os._exit(1)

    return ask
