"""What a caller is told."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A refusal as it arrived. `fields` are the paths of the bad fields, in their order."""

    code: grpc.StatusCode
    message: str
    reason: str
    domain: str
    metadata: Mapping[str, str]
    fields: tuple[str, ...]
    bytes_sent: int


async def refusal_by(call: Awaitable[Any]) -> Told:
    """How a call is refused. Fails if it is not, or not in the shape of every refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return told_by(raised.value)


def told_by(error: grpc.aio.AioRpcError) -> Told:
    """What a failed call says."""
    status: Any = rpc_status.from_call(error)  # type: ignore[arg-type]  # the asynchronous kind serves
    assert status is not None, f"{error.code()} {error.details()!r} has no details"
    info = error_details_pb2.ErrorInfo()
    assert [detail for detail in status.details if detail.Unpack(info)], "every refusal has one"
    blamed = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(blamed)
    return Told(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        domain=info.domain,
        metadata=dict(info.metadata),
        fields=tuple(violation.field for violation in blamed.field_violations),
        bytes_sent=status.ByteSize() + len((error.details() or "").encode()),
    )
