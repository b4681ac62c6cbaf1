"""What is known of a mesh, and which of it is wrong. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domains.rewards.model import Obstacle
from infrastructure.database.roles import Rights, listed
from orchestration.queries.troubles import TroubledShop, Troubles

LATE_AFTER = timedelta(minutes=2)
"""A lane is late when something of it is due for longer: workers look once a second."""
CONNECTIONS_SHARE_MAX = 0.85
"""Beyond this share of PostgreSQL's connections the next process may find none."""
RIGHTS_SHOWN = 10
"""So many rights that a role lacks are named in a sentence; the document has all."""
KINDS = ("serve", "work")
"""The processes that a mesh cannot be without."""
_OBSTACLES = {
    Obstacle.CAMPAIGNS_UNREADABLE: "its campaigns cannot be read",
    Obstacle.DECIDING_FAILED: "deciding failed",
    Obstacle.TIMED_OUT: "deciding took too long",
    Obstacle.CONNECTION_LOST: "the database's connection was lost",
    Obstacle.REVERSAL_FAILED: "taking back failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """One process: `kind` is `serve`, `work`, `envoy` or `postgres`; `name` tells it from others.

    `since`: when it connected to the database, as far as that is known. `lacks_key`: secrets are
    sealed with a key that it does not have.
    """

    kind: str
    name: str
    is_up: bool
    lacks_key: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """The database that was asked. `revision` None: it has no schema.

    `rights` are of the roles that processes work as; if none is connected, of whoever asked.
    """

    version: str
    size_bytes: int
    connection_count: int
    connection_max: int
    revision: str | None
    expected_revision: str
    schema_problem: str
    rights: Sequence[Rights]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshState:
    """The mesh listener that was asked, and what is wrong with it and the servers behind it."""

    address: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskState:
    """The file system of a folder. Below `free_min_bytes` it counts as nearly full."""

    folder: str
    size_bytes: int
    free_bytes: int
    free_min_bytes: int

    @property
    def is_nearly_full(self) -> bool:
        return self.free_bytes < self.free_min_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A mesh at a time. What could not be asked is None, and a problem says why.

    `mesh` None: nobody said where it is, which is no problem.
    """

    version: str
    time: datetime
    processes: Sequence[ProcessState]
    mesh: MeshState | None
    database: DatabaseState | None
    database_problem: str
    troubles: Troubles | None
    disks: Sequence[DiskState]

    @property
    def problems(self) -> list[str]:
        """What needs a look, a sentence each: first what stops everything. Shops come after."""
        mesh_problem = "" if self.mesh is None else self.mesh.problem
        told = [each for each in (self.database_problem, mesh_problem) if each]
        told += [f"The process `{each.name}` is down." for each in self.processes if not each.is_up]
        if self.database is not None:
            told += _of_database(self.database)
            told += _of_missing(self.processes)
        told += [
            f"The process `{each.kind} {each.name}` lacks a key that secrets are sealed with, and "
            "cannot verify the webhooks of some shops: start it with every key in "
            "GUERDON_SECRETS_KEY."
            for each in self.processes
            if each.lacks_key
        ]
        told += [
            f"The disk of {each.folder} is nearly full: {gigabytes(each.free_bytes)} are free."
            for each in self.disks
            if each.is_nearly_full
        ]
        return told

    @property
    def is_well(self) -> bool:
        """Whether nothing needs a look."""
        return not self.problems and not (self.troubles and self.troubles.troubled_count)


def _of_database(database: DatabaseState) -> list[str]:
    told = [database.schema_problem] if database.schema_problem else []
    told += [
        f"The role {each.role} has no {listed(each.missing, shown=RIGHTS_SHOWN)}: run `guerdon "
        f"migrate` as the owner of the tables with GUERDON_DATABASE_ROLE={each.role}."
        for each in database.rights
        if each.missing
    ]
    if database.connection_count > database.connection_max * CONNECTIONS_SHARE_MAX:
        told.append(
            f"{database.connection_count} of PostgreSQL's {database.connection_max} connections "
            "are taken: raise max_connections, or lower GUERDON_DATABASE_POOL_SIZE."
        )
    return told


def _of_missing(processes: Sequence[ProcessState]) -> list[str]:
    """Kinds of which no process is there. One that is down has been told already."""
    missing = {
        "serve": "No `serve` process is connected: nobody answers calls.",
        "work": "No `work` process is connected: no rewards are decided.",
    }
    return [missing[kind] for kind in KINDS if not any(each.kind == kind for each in processes)]


def trouble_of(shop: TroubledShop, *, now: datetime) -> str:
    """What is wrong at a shop, the worst first."""
    lane = shop.lane
    told = []
    if lane.dead_count:
        told.append(f"{lane.dead_count} dead interactions")
    if lane.held:
        told.append("lane held")
    if shop.dead_delivery_count:
        told.append(f"{shop.dead_delivery_count} dead deliveries")
    if shop.failed_delivery_count:
        told.append(f"{shop.failed_delivery_count} deliveries tried again")
    if lane.obstacle in _OBSTACLES:
        told.append(f"lane set back ({_OBSTACLES[lane.obstacle]})")
    told += [
        f"{each.interaction_count} orders wait for a rate {each.pair}" for each in lane.needed_rates
    ]
    if lane.oldest_due_time is not None and now - lane.oldest_due_time > LATE_AFTER:
        told.append(f"{lane.due_count} events due for {duration(now - lane.oldest_due_time)}")
    return ", ".join(told) or "something of it was late a moment ago"


def duration(span: timedelta) -> str:
    """As people say it, in its largest unit: `3 h`."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def gigabytes(count: int) -> str:
    """A number of bytes as people say it."""
    for unit, size in (("TB", 10**12), ("GB", 10**9)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 10**6:.0f} MB"
