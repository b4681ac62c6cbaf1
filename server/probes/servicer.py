"""EdgeService: alive, and ready."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from sqlalchemy.exc import DBAPIError, NoResultFound

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from infrastructure.database.failures import is_away, sqlstate
from infrastructure.database.schema import current_revision
from infrastructure.database.transaction import Database
from server.interception.refusals import Refusal

OK = "ok"
READINESS_TIMEOUT_SECONDS = 1
_UNDEFINED_TABLE = "42P01"


class EdgeServicer(edge_pb2_grpc.EdgeServiceServicer):
    def __init__(self, *, database: Database, expected_revision: str) -> None:
        self._database = database
        self._expected_revision = expected_revision

    async def GetHealth(
        self, request: edge_pb2.GetHealthRequest, context: Any
    ) -> edge_pb2.GetHealthResponse:
        return edge_pb2.GetHealthResponse(status=OK)

    async def GetReadiness(
        self, request: edge_pb2.GetReadinessRequest, context: Any
    ) -> edge_pb2.GetReadinessResponse:
        try:
            async with asyncio.timeout(READINESS_TIMEOUT_SECONDS), self._database.single() as tx:
                revision = await current_revision(tx)
        except TimeoutError:
            raise not_ready("database", "does not answer within a second") from None
        except NoResultFound:
            revision = ""
        except Exception as raised:
            if isinstance(raised, DBAPIError) and sqlstate(raised) == _UNDEFINED_TABLE:
                revision = ""
            elif is_away(raised):
                raise not_ready("database", "cannot be reached") from None
            else:
                raise
        if revision != self._expected_revision:
            raise not_ready("schema", "is not the one of this version; run `guerdon migrate`")
        return edge_pb2.GetReadinessResponse(status=OK)


def not_ready(dependency: str, problem: str) -> Refusal:
    """The refusal of a process that cannot do its work."""
    return Refusal(
        code=grpc.StatusCode.UNAVAILABLE,
        reason="NOT_READY",
        message=f"The {dependency} {problem}.",
        metadata={"dependency": dependency},
    )
