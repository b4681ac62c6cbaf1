"""Asks everything that a status tells of. Each part that does not answer leaves the others."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import grpc
from grpc_status import rpc_status
from sqlalchemy import text

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.roles import Rights, find_rights
from infrastructure.database.schema import expected_revision
from infrastructure.database.sealing_key import list_fingerprints
from infrastructure.database.transaction import Transaction
from orchestration.queries.troubles import Troubles, list_troubles
from server.causes import database_fault
from server.connected import Connected, list_connected, marks_of
from server.preflight import UnusableDatabaseError, find_revision, require_schema, require_version
from server.running_stack import RunningStack, is_alive
from server.status.model import (
    KINDS,
    LATE_AFTER,
    DatabaseState,
    DiskState,
    MeshState,
    ProcessState,
    Status,
)
from server.tables import EVERY_TABLE

SHOPS_MAX = 200
"""How many shops a status tells of."""
ANSWER_SECONDS_MAX = 3

# Connections of other users are hidden from the role, but not how many there are.
_DATABASE = text(
    """
    SELECT clock_timestamp() AS now,
           split_part(current_setting('server_version'), ' ', 1) AS version,
           pg_database_size(current_database()) AS size_bytes,
           (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
           current_setting('max_connections')::int AS connections_max
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a mesh is: what is asked. `mesh_address` empty: it is not known."""

    database_url: str
    mesh_address: str
    stack: RunningStack | None
    disk_folders: Sequence[Path]
    disk_free_min_bytes: int
    rate_age_max: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the database told."""

    now: datetime
    processes: Sequence[ProcessState] = ()
    database: DatabaseState | None = None
    problem: str = ""
    troubles: Troubles | None = None


async def ask(places: Places) -> Status:
    """Asks the database, the mesh, and this host."""
    told = await _ask_database(places)
    return Status(
        version=version("guerdon"),
        time=told.now,
        processes=[*_of_stack(places.stack), *told.processes],
        mesh=await _ask_mesh(places.mesh_address),
        database=told.database,
        database_problem=told.problem,
        troubles=told.troubles,
        disks=[_disk(folder, places.disk_free_min_bytes) for folder in places.disk_folders],
    )


async def _ask_database(places: Places) -> _Told:
    engine = create_engine(places.database_url, pool_size=1, application_name="status")
    try:
        database = database_of(engine)
        # Apart: a role that may not read the schema still learns the rest.
        async with database.single() as tx:
            told, is_readable = await _ask_tables(tx)
        if is_readable:
            async with database.reading() as tx:
                told = replace(told, troubles=await _ask_shops(tx, places, now=told.now))
    except Exception as raised:
        fault = database_fault(raised)
        if fault is None:
            raise
        problem = fault
    else:
        return told
    finally:
        await engine.dispose()
    return _Told(now=datetime.now(UTC), problem=problem)


async def _ask_tables(tx: Transaction) -> tuple[_Told, bool]:
    """All but the shops, and whether these can be asked about."""
    row = (await tx.execute(_DATABASE)).one()
    revision, schema_problem = await _schema(tx)
    connected = await list_connected(tx)
    rights: list[Rights] = []
    needed: frozenset[str] = frozenset()
    is_readable = False
    # Another schema may have other tables and columns.
    if not schema_problem:
        own = await find_rights(tx, EVERY_TABLE)
        roles = {each.role for each in connected if each.role} or {own.role}
        rights = [
            own if role == own.role else await find_rights(tx, EVERY_TABLE, role=role)
            for role in sorted({*roles, own.role} if _is_blind(own) else roles)
        ]
        is_readable = not _is_blind(own)
        if is_readable:
            needed = marks_of(await list_fingerprints(tx))
    told = _Told(
        now=row.now,
        processes=_processes(connected, needed),
        database=DatabaseState(
            version=row.version,
            size_bytes=row.size_bytes,
            connection_count=row.connections,
            connection_max=row.connections_max,
            revision=revision,
            expected_revision=expected_revision(),
            schema_problem=schema_problem,
            rights=rights,
        ),
    )
    return told, is_readable


async def _ask_shops(tx: Transaction, places: Places, *, now: datetime) -> Troubles:
    return await list_troubles(
        tx,
        now=now,
        late_after=LATE_AFTER,
        rate_age_max=places.rate_age_max,
        shops_max=SHOPS_MAX,
    )


def _is_blind(rights: Rights) -> bool:
    """Whether a role cannot read all tables."""
    return any(each.startswith(("SELECT", "USAGE")) for each in rights.missing)


async def _schema(tx: Transaction) -> tuple[str | None, str]:
    """The revision of the schema, and what is wrong with it."""
    revision = None
    try:
        await require_version(tx)
        revision = await find_revision(tx)
        await require_schema(tx)
    except UnusableDatabaseError as problem:
        return revision, str(problem)
    return revision, ""


def _processes(connected: Sequence[Connected], needed: frozenset[str]) -> list[ProcessState]:
    """The processes that have connections to the database."""
    return [
        ProcessState(
            kind=each.kind,
            name=each.name,
            is_up=True,
            lacks_key=bool(each.marks) and not each.opens(needed),
            since=each.since,
        )
        for each in connected
        if each.kind in KINDS
    ]


def _of_stack(stack: RunningStack | None) -> list[ProcessState]:
    """What a stack on this host started, apart from what its database tells of better."""
    if stack is None:
        return []
    found = []
    for name, pid in stack.pids.items():
        kind, is_up = name.partition("-")[0], is_alive(pid)
        if kind not in KINDS or not is_up:
            found.append(ProcessState(kind=kind, name=name, is_up=is_up))
    return found


async def _ask_mesh(address: str) -> MeshState | None:
    """What is wrong with the mesh listener, and with the servers behind it."""
    if not address:
        return None
    problem = ""
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            await edge_pb2_grpc.EdgeServiceStub(channel).GetReadiness(
                edge_pb2.GetReadinessRequest(), timeout=ANSWER_SECONDS_MAX
            )
    except grpc.aio.AioRpcError as refused:
        if rpc_status.from_call(refused) is None:  # type: ignore[arg-type]  # the asynchronous kind serves
            problem = f"The mesh listener {address} does not answer: {refused.details()}."
        else:
            problem = f"The mesh is not ready: {refused.details()}"
    return MeshState(address=address, problem=problem)


def _disk(folder: Path, free_min_bytes: int) -> DiskState:
    usage = shutil.disk_usage(folder)
    return DiskState(
        folder=str(folder),
        size_bytes=usage.total,
        free_bytes=usage.free,
        free_min_bytes=free_min_bytes,
    )
