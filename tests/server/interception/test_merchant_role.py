"""A person of a merchant's team does at that merchant what their role allows, and nowhere else."""

from __future__ import annotations

from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from guerdon.business.v1 import business_pb2
from guerdon.options.v1 import method_pb2
from infrastructure.rpc.caller import Caller, CallerKind, set_caller
from server.interception.merchant_role import MerchantRole, merchants_named
from tests.server.interception.calls import pass_through, refusal_from
from tests.support.contract import METHODS

READER = method_pb2.MERCHANT_ROLE_READER
ADMIN = method_pb2.MERCHANT_ROLE_ADMIN
READS = METHODS["/guerdon.business.v1.BusinessService/GetWebhook"]
CHANGES = METHODS["/guerdon.business.v1.BusinessService/UpdateWebhook"]
STEP = MerchantRole()
MINE = uuid4()


def a_person(roles: dict[UUID, int]) -> None:
    """From now on, a person with these roles calls."""
    set_caller(Caller(kind=CallerKind.MERCHANT, merchant_roles=roles))


def about(merchant_id: UUID | str) -> business_pb2.UpdateWebhookRequest:
    return business_pb2.UpdateWebhookRequest(merchant_id=str(merchant_id))


async def test_the_role_that_is_asked_for_is_enough() -> None:
    """Nobody of the team could do their work."""
    a_person({MINE: READER})
    assert (await pass_through(STEP, READS, about(MINE))).asked
    a_person({MINE: ADMIN})
    assert (await pass_through(STEP, CHANGES, about(MINE))).asked


async def test_a_larger_role_includes_the_smaller() -> None:
    """An admin could change what they cannot see."""
    a_person({MINE: ADMIN})
    assert (await pass_through(STEP, READS, about(MINE))).asked


async def test_a_smaller_role_is_refused() -> None:
    """Whoever may look could change the key that proves deliveries."""
    a_person({MINE: READER})
    refused = await refusal_from(STEP, CHANGES, about(MINE))
    assert refused.code is grpc.StatusCode.PERMISSION_DENIED
    assert refused.reason == "CALLER_REFUSED"
    assert refused.metadata == {"accepted": "MERCHANT_ROLE_ADMIN"}


@pytest.mark.parametrize("method", [READS, CHANGES], ids=["reads", "changes"])
async def test_a_role_elsewhere_is_none(method: object) -> None:
    """One merchant could read and change another's settings."""
    a_person({uuid4(): ADMIN})
    assert isinstance(method, type(READS))
    await refusal_from(STEP, method, about(MINE))


async def test_without_any_role_a_person_is_refused() -> None:
    """Somebody who left the team would still be in it."""
    a_person({})
    await refusal_from(STEP, READS, about(MINE))


async def test_another_spelling_of_an_id_is_the_same_merchant() -> None:
    """The check would pass for one spelling and the work be done for another."""
    a_person({MINE: ADMIN})
    assert (await pass_through(STEP, CHANGES, about(str(MINE).upper()))).asked


async def test_a_service_needs_no_role() -> None:
    """Services act for every merchant."""
    set_caller(Caller(kind=CallerKind.SERVICE))
    assert (await pass_through(STEP, CHANGES, about(MINE))).asked


async def test_a_method_that_asks_for_no_role_has_no_step() -> None:
    """Every other call would pay for it."""

    async def proceed(request: object, _call: object) -> object:
        return request

    method = METHODS["/guerdon.edge.v1.EdgeService/GetHealth"]
    assert STEP.wrap(method, proceed) is proceed


async def test_of_several_merchants_each_is_asked() -> None:
    """A role at one of them would open all of them."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/several.proto", package="guerdon.tests.v1", syntax="proto3"
    )
    file.message_type.add(name="Several").field.add(
        name="merchant_ids",
        number=1,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
    )
    descriptor_pool.Default().Add(file)
    several = GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName("guerdon.tests.v1.Several")
    )
    theirs = uuid4()
    request = several(merchant_ids=[str(MINE), str(theirs)])
    assert merchants_named(request) == [MINE, theirs]
    a_person({MINE: ADMIN})
    await refusal_from(STEP, CHANGES, request)
    a_person({MINE: ADMIN, theirs: READER})
    await refusal_from(STEP, CHANGES, request)
    a_person({MINE: ADMIN, theirs: ADMIN})
    assert (await pass_through(STEP, CHANGES, request)).asked


async def test_naming_no_merchant_gives_no_right() -> None:
    """Whoever leaves the merchant out would be asked for no role."""
    a_person({MINE: ADMIN})
    await refusal_from(STEP, CHANGES, business_pb2.CreateMerchantRequest())
