"""A call that promises to change nothing changes nothing."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.rpc.contract import Method
from tests.contract.valid_calls import a_valid_call
from tests.support.books import everything
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import Mesh
from tests.support.rpc_shop import BusyShop

READS = [
    method
    for method in METHODS.values()
    if method.descriptor.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
]


@pytest.mark.parametrize("method", READS, ids=method_ids)
async def test_a_read_changes_nothing(
    method: Method, mesh: Mesh, busy: BusyShop, contract_engine: AsyncEngine
) -> None:
    """A client that reads again, or a cache that reads ahead, would change what it looks at."""
    call = await a_valid_call(method, busy)
    before = await everything(contract_engine)

    await mesh.call(method, call.request, proof=call.proof)

    assert await everything(contract_engine) == before
