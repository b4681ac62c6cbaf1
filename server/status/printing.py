"""A status as a screen, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from infrastructure.database.roles import Rights
from orchestration.queries.troubles import TroubledShop
from server.status.model import (
    KINDS,
    MeshState,
    ProcessState,
    Status,
    gigabytes,
    trouble_of,
)

COLUMNS = 100
LINES_MAX = 24
"""A status is one screen of a terminal as it is opened."""
_PROBLEM_LINES_MAX = 8
_NAMES_MAX = 3


def screen_of(status: Status) -> str:
    """The whole status on one screen."""
    lines = [_head(status), *_facts(status)]
    problems = [line for each in status.problems for line in _wrapped(f"! {each}")]
    lines += _at_most(problems, _PROBLEM_LINES_MAX, "more lines of problems: see --json")
    troubles = status.troubles
    if troubles is not None and troubles.troubled_count:
        room = LINES_MAX - len(lines)
        shown = troubles.shops[: room - 1] if troubles.troubled_count > room else troubles.shops
        lines += [_shop_line(each, status.time) for each in shown]
        if troubles.troubled_count > len(shown):
            lines.append(f"  and {troubles.troubled_count - len(shown)} more shops: see --json")
    return "\n".join(lines)


def document_of(status: Status) -> dict[str, Any]:
    """The whole status as JSON. `docs/operating.md` says what each key means."""
    database, troubles = status.database, status.troubles
    return {
        "version": status.version,
        "time": _instant(status.time),
        "isWell": status.is_well,
        "problems": status.problems,
        "processes": [
            {
                "kind": each.kind,
                "name": each.name,
                "isUp": each.is_up,
                "lacksKey": each.lacks_key,
                "since": _instant(each.since),
            }
            for each in status.processes
        ],
        "mesh": None
        if status.mesh is None
        else {"address": status.mesh.address, "isReady": not status.mesh.problem},
        "database": None
        if database is None
        else {
            "version": database.version,
            "sizeBytes": database.size_bytes,
            "connectionCount": database.connection_count,
            "connectionMax": database.connection_max,
            "revision": database.revision,
            "expectedRevision": database.expected_revision,
            "roles": [
                {"name": each.role, "missingRights": [*each.missing]} for each in database.rights
            ],
        },
        "disks": [
            {"folder": each.folder, "sizeBytes": each.size_bytes, "freeBytes": each.free_bytes}
            for each in status.disks
        ],
        "shops": None
        if troubles is None
        else {
            "count": troubles.shop_count,
            "troubledCount": troubles.troubled_count,
            "troubled": [_shop_document(each, status.time) for each in troubles.shops],
        },
    }


def _shop_document(shop: TroubledShop, now: datetime) -> dict[str, Any]:
    lane = shop.lane
    return {
        "merchantId": str(lane.merchant_id),
        "name": shop.name,
        "trouble": trouble_of(shop, now=now),
        "held": lane.held,
        "obstacle": lane.obstacle.value,
        "retryTime": _instant(lane.retry_time),
        "dueCount": lane.due_count,
        "oldestDueTime": _instant(lane.oldest_due_time),
        "waitingCount": lane.waiting_count,
        "deadInteractionCount": lane.dead_count,
        "failedDeliveryCount": shop.failed_delivery_count,
        "deadDeliveryCount": shop.dead_delivery_count,
        "neededRates": [
            {
                "pair": each.pair,
                "orderCount": each.interaction_count,
                "firstTime": _instant(each.first_time),
                "lastTime": _instant(each.last_time),
            }
            for each in lane.needed_rates
        ],
    }


def _head(status: Status) -> str:
    troubled = status.troubles.troubled_count if status.troubles else 0
    count = len(status.problems) + troubled
    end = "all is well" if not count else f"{count} need{'s' if count == 1 else ''} a look"
    return f"Guerdon {status.version}, {status.time:%Y-%m-%d %H:%M:%S} UTC: {end}"


def _facts(status: Status) -> list[str]:
    database, troubles = status.database, status.troubles
    told = {"processes": _processes(status.processes), "mesh": _mesh(status.mesh)}
    if database is None:
        told["database"] = told["schema"] = told["rights"] = told["shops"] = "unknown"
    else:
        told["database"] = (
            f"PostgreSQL {database.version}, {gigabytes(database.size_bytes)}, "
            f"{database.connection_count} of {database.connection_max} connections"
        )
        told["schema"] = f"revision {database.revision or 'none'}" + (
            "" if database.schema_problem else ", the one of this version"
        )
        told["rights"] = _rights(database.rights)
        told["shops"] = (
            "unknown"
            if troubles is None
            else f"{troubles.shop_count}, {troubles.troubled_count} of them with trouble"
        )
    told["disk"] = (
        ", ".join(
            f"{gigabytes(each.free_bytes)} of {gigabytes(each.size_bytes)} free ({each.folder})"
            for each in status.disks[:_NAMES_MAX]
        )
        or "unknown: name a folder of it with --disk"
    )
    return [_cut(f"{name:<10} {fact}") for name, fact in told.items()]


def _mesh(mesh: MeshState | None) -> str:
    if mesh is None:
        return "unknown: name its listener with GUERDON_MESH_ADDRESS"
    return f"{mesh.address}, {'not ready' if mesh.problem else 'ready'}"


def _rights(rights: Sequence[Rights]) -> str:
    told = [
        f"{each.role} lacks {len(each.missing)}"
        if each.missing
        else f"{each.role} has what processes need"
        for each in rights
    ]
    return ", ".join(told) or "unknown"


def _processes(processes: Sequence[ProcessState]) -> str:
    """How many of each kind, and their names as far as there is room."""
    kinds = dict.fromkeys([*KINDS, *(each.kind for each in processes)])
    told = []
    for kind in kinds:
        up = [each.name for each in processes if each.kind == kind and each.is_up]
        names = ", ".join(up[:_NAMES_MAX]) + (", …" if len(up) > _NAMES_MAX else "")
        told.append(f"{len(up)} {kind}" + (f" ({names})" if names not in {"", kind} else ""))
    return ", ".join(told)


def _shop_line(shop: TroubledShop, now: datetime) -> str:
    name = shop.name if len(shop.name) <= 24 else shop.name[:23] + "…"  # noqa: PLR2004 - a column
    return _cut(f"  {shop.lane.merchant_id} {name}: {trouble_of(shop, now=now)}")


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, COLUMNS, subsequent_indent="  ")


def _cut(line: str) -> str:
    line = "".join(each if each.isprintable() else "�" for each in line)
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"


def _at_most(lines: Sequence[str], count: int, rest: str) -> list[str]:
    if len(lines) <= count:
        return list(lines)
    return [*lines[: count - 1], f"  {len(lines) - count + 1} {rest}"]


def _instant(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
