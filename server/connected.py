"""The processes that are connected to a database, by what they call themselves there."""

from __future__ import annotations

import base64
import os
import re
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text

from infrastructure.database.transaction import Transaction

_MARK_BYTES = 3
_LABEL = re.compile(r"guerdon ([a-z]+)(?: ([\w-]{4}(?:\.[\w-]{4})*))? ([0-9]+@.*)")

# A process has several connections; what it calls itself is the same in all of them. Who is not a
# superuser sees the names of all, but not since when others are connected.
_CONNECTED = text(
    """
    SELECT application_name, usename, min(backend_start) AS since FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'guerdon %'
    GROUP BY application_name, usename ORDER BY application_name
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A process of ours: `kind` is `serve` or `work`, `name` tells it from others of its kind.

    `marks` are those of the keys that it opens secrets with, the one that it seals with first;
    empty: it does not tell. `role` is the database's user that it works as.
    """

    kind: str
    name: str
    marks: tuple[str, ...]
    role: str | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def opens(self, marks: Collection[str]) -> bool:
        """Whether it has all of these keys. One that does not tell is not relied on."""
        return set(marks) <= set(self.marks)

    def seals_with(self, mark: str) -> bool:
        """Whether it seals with this key."""
        return self.marks[:1] == (mark,)


def mark_of(fingerprint: bytes) -> str:
    """The few characters that tell a key from the others of a deployment."""
    return base64.urlsafe_b64encode(fingerprint[:_MARK_BYTES]).decode()


def marks_of(fingerprints: Collection[bytes]) -> frozenset[str]:
    """Of several keys."""
    return frozenset(map(mark_of, fingerprints))


def process_label(kind: str, fingerprints: Sequence[bytes] = ()) -> str:
    """What a process calls itself at the database, where whoever operates it finds it again.

    PostgreSQL cuts it after 63 bytes: first comes what tells processes of a host apart.
    """
    marks = ".".join(map(mark_of, fingerprints))
    return f"guerdon {kind} {marks} {os.getpid()}@{socket.gethostname()}".replace("  ", " ")


def read_process_label(label: str) -> Connected | None:
    """The process that calls itself so; None if it is none of ours."""
    found = _LABEL.fullmatch(label)
    if found is None:
        return None
    kind, marks, name = found.groups()
    return Connected(kind=kind, name=name, marks=tuple(marks.split(".")) if marks else ())


async def list_connected(tx: Transaction) -> Sequence[Connected]:
    """The processes that are connected now."""
    found = []
    for row in await tx.execute(_CONNECTED):
        process = read_process_label(row.application_name)
        if process is not None:
            found.append(replace(process, role=row.usename, since=row.since))
    return found


def named(processes: Sequence[Connected], *, shown: int = 3) -> str:
    """A few processes by name, and how many more there are."""
    names = [f"`{each}`" for each in processes[:shown]]
    if len(processes) > shown:
        names.append(f"{len(processes) - shown} more")
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
