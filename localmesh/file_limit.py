"""How many files, and so connections, a process of the stack may have open."""

from __future__ import annotations

import resource

from server.edge.command_line import OWN_FILES

# Where the kernel sets no limit: more than anybody here opens.
_NO_LIMIT = 1 << 20


def raise_file_limit() -> int:
    """Raises how many files this process and its children may open as far as it may; says how far.

    The usual soft limit of 1,024 is for programs that know no larger number. Ours do.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _NO_LIMIT if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _NO_LIMIT if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def connections_max(files: int, *, wanted: int) -> int:
    """How many connections an Envoy with so many files takes, at most as many as are wanted."""
    return min(wanted, max(files - OWN_FILES, 1))
