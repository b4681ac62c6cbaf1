"""Finds the stack that somebody runs on this host, by the state file in its folder."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.plain_http import get

STATE_FILE = "stack.json"
_ALIVE = (http.HTTPStatus.OK, http.HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A stack as others see it. `pid` is its supervisor's; `pids` are the children's by name.

    `public_url` is the listener for the world, JSON and gRPC-Web; `mesh_url` and
    `mesh_address` are one listener, as JSON clients and gRPC clients write it. `admin_sockets`
    are the Envoys' own, by the name of the listener. Without Envoy these are empty, and the address
    is that of one server process.
    """

    pid: int
    public_url: str
    mesh_url: str
    mesh_address: str
    admin_sockets: Mapping[str, str]
    database_url: str
    service_token: str
    pids: Mapping[str, int]


def read_recorded(folder: Path) -> RunningStack | None:
    """The stack that somebody runs on the folder, whether it answers or not; None: nobody does."""
    recorded = read_state(folder)
    return None if recorded is None or not is_alive(recorded.pid) else recorded


def read_running(folder: Path) -> RunningStack | None:
    """The stack that runs on the folder and answers `/health`; None when there is none."""
    recorded = read_recorded(folder)
    if recorded is None or not recorded.public_url:
        return None
    return recorded if _answers(f"{recorded.public_url}/health") else None


def read_state(folder: Path) -> RunningStack | None:
    """What the state file says, whether that stack still runs or not."""
    try:
        fields: dict[str, Any] = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        return RunningStack(**fields)
    # Gone, or written by another version: nobody to be found either way.
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _answers(url: str) -> bool:
    """Whether a GET is answered with 200, or with 429: its limit is for all of this host."""
    try:
        status, _ = get(url)
    except (OSError, http.client.HTTPException):
        return False
    return status in _ALIVE
