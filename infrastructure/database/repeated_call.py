"""Calls that may come again: they have one effect, and are answered as before."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, LargeBinary, Table, Text, Uuid, func, text

from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows
from infrastructure.database.transaction import Database, Transaction

KEPT = timedelta(hours=24)

Result_contra = TypeVar("Result_contra", contravariant=True)
Result = TypeVar("Result")

repeated_call = Table(
    "repeated_call",
    metadata,
    Column("principal", LargeBinary, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    # Empty only inside of the transaction that makes the call.
    Column("answer", LargeBinary),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Serves forget_old().
    Index("ix_repeated_call_create_time", "create_time"),
    info=rows(changed=("answer",), are_deleted=True),
)

_REMEMBER = text(
    """
    INSERT INTO repeated_call (principal, method, request_id, digest)
    VALUES (:principal, :method, :request_id, :digest)
    ON CONFLICT DO NOTHING
    RETURNING 1
    """
)
_RECALL = text(
    """
    SELECT digest, answer FROM repeated_call
    WHERE principal = :principal AND method = :method AND request_id = :request_id
    """
)
_ANSWER = text(
    """
    UPDATE repeated_call SET answer = :answer
    WHERE principal = :principal AND method = :method AND request_id = :request_id
    """
)
_FORGET = text(
    """
    DELETE FROM repeated_call WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM repeated_call WHERE create_time < :before LIMIT :batch_size))
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Generic[Result_contra]):
    """A call that may come again: who made it, under which id, and what it asked.

    `to_bytes` makes the bytes that are kept from what the call resulted in.
    """

    principal: str
    method: str
    request_id: UUID
    digest: bytes
    to_bytes: Callable[[Result_contra], bytes]

    @property
    def key(self) -> dict[str, object]:
        return {
            # A principal may be a client id, which is a secret: only its hash is stored.
            "principal": hashlib.sha256(self.principal.encode()).digest(),
            "method": self.method,
            "request_id": self.request_id,
        }


class AlreadyAnsweredError(Exception):
    """The call was made before; `answer` is what it was answered then."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("answered before")
        self.answer = answer


class RequestIdReusedError(Exception):
    """The request id was used for another request."""

    def __init__(self, request_id: UUID) -> None:
        super().__init__("request id reused")
        self.request_id = request_id


async def answer_once(
    database: Database,
    repeat: Repeat[Result] | None,
    work: Callable[[Transaction], Awaitable[Result]],
    *,
    is_one_statement: bool = False,
) -> Result:
    """Does the work in a transaction, and returns what it resulted in.

    With `repeat`, it is done at most once for a request id, and its result is kept in the same
    transaction. Without, work that is one statement needs neither BEGIN nor COMMIT.

    Raises:
        AlreadyAnsweredError: the call was made before, with the same request.
        RequestIdReusedError: the request id was used with another request.
    """
    if repeat is None:
        async with database.single() if is_one_statement else database.transaction() as tx:
            return await work(tx)
    async with database.transaction() as tx:
        await _remember(tx, repeat)
        result = await work(tx)
        await tx.execute(_ANSWER, {**repeat.key, "answer": repeat.to_bytes(result)})
    return result


async def _remember(tx: Transaction, repeat: Repeat[Any]) -> None:
    fresh = await tx.execute(_REMEMBER, {**repeat.key, "digest": repeat.digest})
    if fresh.first() is not None:
        return
    # A statement of its own: the first call may have committed after ours began to wait.
    before = (await tx.execute(_RECALL, repeat.key)).one()
    if before.digest != repeat.digest:
        raise RequestIdReusedError(repeat.request_id)
    raise AlreadyAnsweredError(before.answer)


async def forget_old(tx: Transaction, *, now: datetime, batch_size: int) -> int:
    """Forgets up to `batch_size` calls older than a day; returns how many."""
    result = await tx.execute(_FORGET, {"before": now - KEPT, "batch_size": batch_size})
    return result.rowcount
