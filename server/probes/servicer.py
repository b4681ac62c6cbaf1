"""EdgeService: alive, and ready."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from infrastructure.database.failures import is_away
from infrastructure.database.transaction import Database
from server.interception.refusals import Refusal
from server.preflight import (
    SealingKeys,
    UnusableDatabaseError,
    require_keys,
    require_schema,
    require_version,
)

OK = "ok"
READINESS_TIMEOUT_SECONDS = 1


class EdgeServicer(edge_pb2_grpc.EdgeServiceServicer):
    def __init__(self, *, database: Database, secrets: SealingKeys) -> None:
        self._database = database
        self._secrets = secrets

    async def GetHealth(
        self, request: edge_pb2.GetHealthRequest, context: Any
    ) -> edge_pb2.GetHealthResponse:
        return edge_pb2.GetHealthResponse(status=OK)

    async def GetReadiness(
        self, request: edge_pb2.GetReadinessRequest, context: Any
    ) -> edge_pb2.GetReadinessResponse:
        try:
            async with asyncio.timeout(READINESS_TIMEOUT_SECONDS), self._database.single() as tx:
                await require_version(tx)
                await require_schema(tx)
                await require_keys(tx, self._secrets)
        except TimeoutError as slow:
            raise not_ready("database", "The database does not answer within a second.") from slow
        except UnusableDatabaseError as problem:
            raise not_ready(problem.dependency, str(problem)) from problem
        except Exception as raised:
            if is_away(raised):
                raise not_ready("database", "The database cannot be reached.") from raised
            raise
        return edge_pb2.GetReadinessResponse(status=OK)


def not_ready(dependency: str, problem: str) -> Refusal:
    """The refusal of a process that cannot do its work."""
    return Refusal(
        code=grpc.StatusCode.UNAVAILABLE,
        reason="NOT_READY",
        message=problem,
        metadata={"dependency": dependency},
    )
