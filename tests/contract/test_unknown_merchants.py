"""A merchant that does not exist is not found, whatever is asked of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from tests.contract.valid_calls import a_valid_call
from tests.support.contract import METHODS, method_ids, promised_refusals
from tests.support.mesh import Mesh
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import BusyShop

MERCHANT = "merchant_id"


def messages_of(message: Message) -> list[Any]:
    """The message and those of its fields that are messages of ours, set or not."""
    inner = [
        getattr(message, field.name)
        for field in message.DESCRIPTOR.fields
        if field.message_type is not None and not field.is_repeated
        if field.message_type.file.package.startswith("guerdon.orchestration")
    ]
    return [message, *inner]


NAMING = [
    method
    for method in METHODS.values()
    if any(
        MERCHANT in each.DESCRIPTOR.fields_by_name for each in messages_of(method.request_class())
    )
]


@pytest.mark.parametrize("method", NAMING, ids=method_ids)
async def test_an_unknown_merchant_is_not_found(method: Method, mesh: Mesh, busy: BusyShop) -> None:
    """A mistyped id would look like a merchant where nothing happens."""
    call = await a_valid_call(method, busy)
    for each in messages_of(call.request):
        if MERCHANT in each.DESCRIPTOR.fields_by_name:
            each.merchant_id = str(uuid4())

    told = await refusal_by(mesh.call(method, call.request, proof=call.proof))

    assert told.code is grpc.StatusCode.NOT_FOUND
    assert told.reason in {promise.reason for promise in promised_refusals(method)}
