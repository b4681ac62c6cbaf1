"""How many files, and so connections, a process of the stack may have open."""

from __future__ import annotations

import resource
from dataclasses import dataclass

# Envoy's own: logs, listeners, connections to the servers of both clusters, some to spare.
OWN_FILES = 100
# One connection of the mesh carries a hundred calls; a quarter is plenty.
MESH_SHARE = 4
MESH_CONNECTIONS_MAX = 2_000
PUBLIC_CONNECTIONS_MAX = 20_000
# Where the kernel sets no limit: more than anybody here opens.
_NO_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionShares:
    """How many connections Envoy's listeners take, so that together they find files."""

    public: int
    mesh: int


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


def connection_shares(files: int) -> ConnectionShares:
    """What the listeners of an Envoy with so many files may take. Both always take some."""
    rest = max(files - OWN_FILES, 2 * MESH_SHARE)
    mesh = min(MESH_CONNECTIONS_MAX, rest // MESH_SHARE)
    return ConnectionShares(public=min(PUBLIC_CONNECTIONS_MAX, rest - mesh), mesh=mesh)
