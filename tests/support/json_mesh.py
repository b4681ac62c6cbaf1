"""A real Envoy in front of a server of a test, and clients of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.server.edge.backend import Backend
from tests.server.edge.running import DESCRIPTORS, Edge, running_edge, settings_for
from tests.support.mesh import SERVICE, Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMesh:
    """Clients of both listeners. That of the mesh shows the proof of a service."""

    public: httpx.AsyncClient
    mesh: httpx.AsyncClient


@asynccontextmanager
async def running_edge_of(mesh: Mesh, folder: Path) -> AsyncIterator[Edge]:
    """Envoy as tests configure it, once it leads to the server."""
    # Only the shape asks for it: the server answers.
    nobody = Backend(DESCRIPTORS.read_bytes())
    async with running_edge(settings_for([mesh.port]), nobody, folder) as edge:
        yield edge


def json_mesh_of(edge: Edge) -> JsonMesh:
    edge.mesh.headers.update(SERVICE)
    return JsonMesh(public=edge.public, mesh=edge.mesh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refusal as a caller of JSON reads it: its reason, its message, what is wrong where."""

    status: int
    reason: str
    message: str
    violations: dict[str, str]


def refused_by(answer: httpx.Response) -> Refused:
    """What an answer says. Fails if it has not the shape of every refusal."""
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"code", "message", "details"}, body
    details = {each["@type"].rpartition(".")[2]: each for each in body["details"]}
    return Refused(
        status=answer.status_code,
        reason=details["ErrorInfo"]["reason"],
        message=body["message"],
        violations={
            each["field"]: each["description"]
            for each in details.get("BadRequest", {}).get("fieldViolations", ())
        },
    )
