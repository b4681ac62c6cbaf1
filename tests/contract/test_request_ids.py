"""A call with a request id has one effect, however often it is made."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.message import Message
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2
from guerdon.orchestration.v1 import arrival_pb2
from infrastructure.database.engine import create_engine
from infrastructure.rpc.contract import Method
from tests.contract.valid_calls import ValidCall, a_valid_call
from tests.support.books import everything
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import Mesh, running_mesh, settings_for, visitor
from tests.support.messages import leaves, rules_of
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import BusyShop, a_campaign, a_merchant, open_shop

CALLS_AT_ONCE = 8
REPEATABLE = [method for method in METHODS.values() if method.takes_request_id]
CREATE_MERCHANT = METHODS["/guerdon.business.v1.BusinessService/CreateMerchant"]
CREATE_CAMPAIGN = METHODS["/guerdon.campaign.v1.CampaignService/CreateCampaign"]
PUBLISH = METHODS["/guerdon.campaign.v1.CampaignService/PublishCampaign"]
TRACK = METHODS["/guerdon.orchestration.v1.ArrivalService/TrackArrival"]

every_repeatable = pytest.mark.parametrize("method", REPEATABLE, ids=method_ids)


async def a_repeatable_call(method: Method, busy: BusyShop) -> tuple[bytes, ValidCall]:
    valid = await a_valid_call(method, busy)
    request: Any = valid.request
    request.request_id = str(uuid4())
    return request.SerializeToString(), valid


def with_another_body(request: Message) -> Message:
    """The same request id with something else in the first text that may differ."""
    copy: Any = type(request)()
    copy.CopyFrom(request)
    for leaf in leaves(copy):
        value = getattr(leaf.owner(copy), leaf.field.name)
        if leaf.field.name == "request_id" or not isinstance(value, str):
            continue
        changed = f"other {value}"
        if leaf.field.name.endswith("_id"):
            changed = str(uuid4())
        if leaf.field.name.endswith("_currency"):
            changed = "XXX"
        setattr(leaf.owner(copy), leaf.field.name, changed)
        return copy  # type: ignore[no-any-return]  # messages differ
    raise AssertionError


@every_repeatable
async def test_a_repeated_call_is_answered_as_before_and_does_nothing(
    method: Method, mesh: Mesh, busy: BusyShop, contract_engine: AsyncEngine
) -> None:
    """A caller that lost the answer would create the thing twice, or never learn its id."""
    raw, valid = await a_repeatable_call(method, busy)
    before = await everything(contract_engine)
    first = await mesh.call_raw(method, raw, proof=valid.proof)
    after = await everything(contract_engine)
    second = await mesh.call_raw(method, raw, proof=valid.proof)

    assert first == second
    assert await everything(contract_engine) == after
    assert before["repeated_call"] != after["repeated_call"]


@every_repeatable
async def test_a_request_id_stands_for_one_request(
    method: Method, mesh: Mesh, busy: BusyShop, contract_engine: AsyncEngine
) -> None:
    """A caller that mixes up its ids would be answered for something it did not ask."""
    raw, valid = await a_repeatable_call(method, busy)
    await mesh.call_raw(method, raw, proof=valid.proof)
    after = await everything(contract_engine)

    other = with_another_body(valid.request)
    told = await refusal_by(mesh.call(method, other, proof=valid.proof))

    assert told.code is grpc.StatusCode.ALREADY_EXISTS
    assert (told.domain, told.reason) == ("mesh.guerdon", "REQUEST_ID_REUSED")
    assert told.metadata == {"request_id": getattr(valid.request, "request_id")}  # noqa: B009
    assert told.fields == ("request_id",)
    assert await everything(contract_engine) == after


@every_repeatable
async def test_without_a_request_id_a_call_is_made_anew(
    method: Method, mesh: Mesh, busy: BusyShop, contract_engine: AsyncEngine
) -> None:
    """Calls of callers who send no id would be taken for one."""
    before = (await everything(contract_engine))["repeated_call"]
    valid = await a_valid_call(method, busy)
    await mesh.call(method, valid.request, proof=valid.proof)
    assert (await everything(contract_engine))["repeated_call"] == before


async def test_a_request_id_outlives_the_server(mesh: Mesh, contract_url: str) -> None:
    """Whoever repeats a call because the server was restarted would create a second merchant."""
    request = business_pb2.CreateMerchantRequest(
        request_id=str(uuid4()), merchant=a_merchant()
    ).SerializeToString()
    first = await mesh.call_raw(CREATE_MERCHANT, request)

    engine = create_engine(contract_url, pool_size=1, application_name="contract, restarted")
    try:
        async with running_mesh(engine, settings_for(contract_url)) as restarted:
            assert await restarted.call_raw(CREATE_MERCHANT, request) == first
    finally:
        await engine.dispose()


async def test_two_at_once_create_one_merchant(mesh: Mesh, contract_engine: AsyncEngine) -> None:
    """A caller that did not wait for the first answer would get two merchants."""
    merchant = a_merchant()
    request = business_pb2.CreateMerchantRequest(
        request_id=str(uuid4()), merchant=merchant
    ).SerializeToString()
    answers = await asyncio.gather(
        *(mesh.call_raw(CREATE_MERCHANT, request) for _ in range(CALLS_AT_ONCE))
    )
    assert len(set(answers)) == 1
    async with contract_engine.connect() as connection:
        found = await connection.execute(
            text("SELECT merchant_id FROM merchant WHERE domain = :domain"),
            {"domain": merchant.domain},
        )
        [stored] = found.scalars()
    created = business_pb2.CreateMerchantResponse.FromString(answers[0])
    assert stored == UUID(created.merchant.merchant_id)


async def test_two_callers_may_use_one_request_id(mesh: Mesh, busy: BusyShop) -> None:
    """A browser could read the answer that another one got, by guessing its id."""
    request = arrival_pb2.TrackArrivalRequest(
        request_id=str(uuid4()), merchant_id=busy.shop.merchant_id
    )
    one = await mesh.call(TRACK, request, proof=visitor("one browser"))
    other = await mesh.call(TRACK, request, proof=visitor("another browser"))
    assert one.identity_group_id != other.identity_group_id


async def test_two_methods_may_use_one_request_id(mesh: Mesh) -> None:
    """A caller would have to keep ids apart that nothing connects."""
    shop = await open_shop(mesh)
    campaign_id = await shop.create_campaign(published=False)
    request_id = str(uuid4())
    for verb, state in (("Publish", "ACTIVE"), ("Pause", "PAUSED"), ("Resume", "ACTIVE")):
        request = getattr(campaign_pb2, f"{verb}CampaignRequest")(
            request_id=request_id, merchant_id=shop.merchant_id, campaign_id=campaign_id
        )
        answer = await mesh.call(f"guerdon.campaign.v1.CampaignService/{verb}Campaign", request)
        assert campaign_pb2.Campaign.State.Name(answer.campaign.state) == f"STATE_{state}"


async def test_a_refused_call_uses_no_request_id_up(mesh: Mesh) -> None:
    """A caller that mended what was wrong would be refused for ever."""
    shop = await open_shop(mesh)
    campaign_id = await shop.create_campaign()
    request = campaign_pb2.PublishCampaignRequest(
        request_id=str(uuid4()), merchant_id=shop.merchant_id, campaign_id=campaign_id
    )
    told = await refusal_by(mesh.call(PUBLISH, request))
    assert told.reason == "TRANSITION_INVALID"
    request.campaign_id = await shop.create_campaign(published=False)
    answer = await mesh.call(PUBLISH, request)
    assert answer.campaign.campaign_id == request.campaign_id


async def test_a_rehearsal_uses_no_request_id_up(mesh: Mesh, contract_engine: AsyncEngine) -> None:
    """Whoever rehearses and then creates would be answered with the rehearsal."""
    shop = await open_shop(mesh)
    request = campaign_pb2.CreateCampaignRequest(
        request_id=str(uuid4()),
        merchant_id=shop.merchant_id,
        campaign=a_campaign(),
        validate_only=True,
    )
    before = await everything(contract_engine)
    rehearsed = await mesh.call(CREATE_CAMPAIGN, request)
    assert rehearsed.campaign.campaign_id == ""
    assert await everything(contract_engine) == before

    request.validate_only = False
    assert (await mesh.call(CREATE_CAMPAIGN, request)).campaign.campaign_id


@every_repeatable
async def test_ids_in_capitals_are_the_same(
    method: Method, mesh: Mesh, busy: BusyShop, contract_engine: AsyncEngine
) -> None:
    """A client that spells UUIDs its own way would have its repeated call done twice."""
    raw, valid = await a_repeatable_call(method, busy)
    first = await mesh.call_raw(method, raw, proof=valid.proof)
    after = await everything(contract_engine)

    shouted: Any = valid.request
    for leaf in leaves(shouted):
        value = getattr(leaf.owner(shouted), leaf.field.name)
        if rules_of(leaf.field).string.uuid:
            setattr(leaf.owner(shouted), leaf.field.name, value.upper())
    assert shouted.request_id.isupper()

    assert await mesh.call_raw(method, shouted.SerializeToString(), proof=valid.proof) == first
    assert await everything(contract_engine) == after


@pytest.mark.parametrize("form", ["{%s}", "urn:uuid:%s", "no hyphens", " %s"])
async def test_a_request_id_has_36_characters(form: str, mesh: Mesh) -> None:
    """Python reads other forms of UUIDs as well; not every database and client does."""
    request_id = str(uuid4())
    written = form % request_id if "%" in form else request_id.replace("-", "")
    request = business_pb2.CreateMerchantRequest(request_id=written, merchant=a_merchant())
    told = await refusal_by(mesh.call(CREATE_MERCHANT, request))
    assert (told.reason, told.fields) == ("REQUEST_INVALID", ("request_id",))
