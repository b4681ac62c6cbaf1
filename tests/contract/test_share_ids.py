"""Whoever knows a link can be referred by it, and nothing else, whatever they send where."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.api import httpbody_pb2
from google.protobuf import struct_pb2

from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.orchestration.v1 import arrival_pb2, purchase_linking_pb2, purchase_webhook_pb2
from infrastructure.rpc.caller import CallerKind
from infrastructure.rpc.translating import to_timestamp
from tests.support.contract import METHODS
from tests.support.flows import NOON
from tests.support.mesh import Mesh, running_mesh, settings_for, visitor
from tests.support.messages import Place, places
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import (
    ARRIVAL,
    CAMPAIGN,
    IDENTITY,
    LINKING,
    WEBHOOK,
    RpcShop,
    a_campaign,
    an_order,
    open_shop,
    sign,
)

TRACK = f"{ARRIVAL}/TrackArrival"
IN_BODIES = ("id", "customerId", "clientId", "token", "walletAddress", "shareId", "referrerShareId")
PUBLIC = [
    place
    for method in METHODS.values()
    if method.callers & {CallerKind.VISITOR, CallerKind.ANYONE}
    for place in places(method)
    if place.leaf.field.name not in {"merchant_id", "referrer_merchant_id", "request_id"}
]


async def pay_referrers(shop: RpcShop) -> None:
    """Whoever brought a buyer gets a tenth of what they buy."""
    campaign = a_campaign("referrers")
    campaign.rule.CopyFrom(
        rule_pb2.Rule(
            trigger=rule_pb2.TRIGGER_REFERRAL_PURCHASE,
            rewards=[
                rule_pb2.Reward(
                    recipient=rule_pb2.RECIPIENT_REFERRER,
                    percentage=rule_pb2.PercentageAmount(percent="10"),
                )
            ],
        )
    )
    created = await shop.mesh.call(
        f"{CAMPAIGN}/CreateCampaign",
        campaign_pb2.CreateCampaignRequest(merchant_id=shop.merchant_id, campaign=campaign),
    )
    await shop.change_campaign("Publish", created.campaign.campaign_id)


async def earned_by(shop: RpcShop, order: str) -> list[str]:
    """Whose rewards an order earned, once it is decided, after what others left."""
    (bought,) = [each for each in await shop.purchases() if each.order_reference == order]
    async with asyncio.timeout(20):
        while True:
            await shop.work()
            earned = [
                each.identity_group_id
                for each in await shop.rewards()
                if each.purchase_id == bought.purchase_id
            ]
            if earned:
                return earned


async def send(shop: RpcShop, place: Place, known: str, *, mallory: str) -> None:
    """What somebody sends who knows an id of a link, in one field, and calls a browser by it."""

    def know(message: Any, name: str) -> None:
        is_value = message.DESCRIPTOR.fields_by_name[name].message_type is not None
        if is_value:
            getattr(message, name).CopyFrom(struct_pb2.Value(string_value=known))
        else:
            setattr(message, name, known)

    request: Any = place.changed(know)
    request.merchant_id = shop.merchant_id
    # Each of them is a call of its own.
    request.ClearField("request_id")
    is_arrival = isinstance(request, arrival_pb2.TrackArrivalRequest)
    if is_arrival and place.leaf.field.name != "referrer_share_id":
        request.referrer_share_id = mallory
    for client in (known, "mallory"):
        try:
            await shop.mesh.call(place.method, request, proof=visitor(client))
        except grpc.aio.AioRpcError as refused:
            assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - either way


def test_all_that_strangers_can_send_is_tried() -> None:
    """A method that is added would be no part of what follows."""
    assert {place.method.path.rpartition("/")[2] for place in PUBLIC} == {
        "TrackArrival",
        "ClaimPurchase",
    }
    assert len(PUBLIC) > 10


async def test_knowing_a_link_earns_nothing(mesh: Mesh) -> None:
    """Whoever follows a link could act as the person who shared it, and earn of what they buy."""
    shop = await open_shop(mesh)
    await pay_referrers(shop)
    await shop.create_campaign()
    ann = await shop.arrive("ann")
    mallory = (await shop.arrive("mallory")).share_id

    for place in PUBLIC:
        await send(shop, place, ann.share_id, mallory=mallory)
    for number, key in enumerate(IN_BODIES):
        said: dict[str, Any] = {"clientId": "mallory", key: ann.share_id}
        body = an_order(f"M-{number}", **said)
        await shop.mesh.call(
            f"{WEBHOOK}/ReceiveCustomOrder",
            purchase_webhook_pb2.ReceiveCustomOrderRequest(
                merchant_id=shop.merchant_id, payload=httpbody_pb2.HttpBody(data=body)
            ),
            proof=(("x-hmac-sha256", sign(body)),),
        )
    stolen = {each.identity_group_id for each in await shop.purchases()}
    await shop.order("A-1", client_id="ann", customerId="ann")

    assert ann.identity_group_id not in stolen
    assert await earned_by(shop, "A-1") == [ann.identity_group_id] * 2
    bought = [each for each in await shop.purchases() if each.order_reference == "A-1"]
    assert [each.identity_group_id for each in bought] == [ann.identity_group_id]
    nodes = await mesh.call(
        f"{IDENTITY}/ListIdentityNodes",
        identity_pb2.ListIdentityNodesRequest(identity_group_id=ann.identity_group_id),
    )
    assert [each.value for each in nodes.identity_nodes] == ["ann"]


async def test_a_share_id_refers_and_does_not_resolve(mesh: Mesh) -> None:
    """A link would bring nobody, or tell whose it is."""
    shop = await open_shop(mesh)
    await pay_referrers(shop)
    ann = await shop.arrive("ann")
    ben = await shop.arrive("ben", referrer=ann.share_id.upper())
    assert ben.referral_link_id
    assert {UUID(each.share_id).version for each in (ann, ben)} == {4}
    for value in (ann.share_id, ben.share_id):
        told = await refusal_by(
            mesh.call(
                f"{IDENTITY}/ResolveIdentityGroup",
                identity_pb2.ResolveIdentityGroupRequest(
                    kind=identity_pb2.IdentityNode.KIND_CLIENT,
                    value=value,
                    merchant_id=shop.merchant_id,
                ),
            )
        )
        assert told.reason == "NODE_NOT_FOUND"

    await shop.order("A-1", client_id="ben")
    assert await earned_by(shop, "A-1") == [ann.identity_group_id]


@pytest.mark.parametrize("method", ["TrackArrival", "ImportArrival"])
async def test_a_referrer_s_client_id_is_refused_with_what_to_send(mesh: Mesh, method: str) -> None:
    """Pages would go on to show the secret of whoever shares them."""
    shop = await open_shop(mesh)
    arrival = arrival_pb2.TrackArrivalRequest(
        merchant_id=shop.merchant_id, referrer_client_id="secret-of-ann"
    )
    request: Any = arrival
    field = "referrer_client_id"
    if method == "ImportArrival":
        field = f"arrival.{field}"
        request = arrival_pb2.ImportArrivalRequest(
            client_id="ben", event_time=to_timestamp(NOON), arrival=arrival
        )
    proof = visitor("ben") if method == "TrackArrival" else None
    told = await refusal_by(mesh.call(f"{ARRIVAL}/{method}", request, proof=proof))

    assert (told.code, told.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "REFERRER_CLIENT_ID_REFUSED",
    )
    assert told.fields == (field,)
    assert "Send their share id" in told.message
    assert "secret-of-ann" not in str(told)


async def test_a_setting_lets_older_pages_name_a_referrer_by_client_id(
    mesh: Mesh, contract_engine: Any, contract_url: str
) -> None:
    """A shop whose pages are not changed in one night would lose its recommendations."""
    shop = await open_shop(mesh)
    await shop.arrive("ann")
    settings = settings_for(contract_url, ACCEPT_REFERRER_CLIENT_IDS="yes")
    async with running_mesh(contract_engine, settings) as older:
        answer = await older.call(
            TRACK,
            arrival_pb2.TrackArrivalRequest(merchant_id=shop.merchant_id, referrer_client_id="ann"),
            proof=visitor("ben"),
        )
    assert answer.referral_link_id


async def test_a_claim_does_not_need_an_arrival_before_it(mesh: Mesh) -> None:
    """A browser that claimed first would have no share id when it arrives."""
    shop = await open_shop(mesh)
    await mesh.call(
        f"{LINKING}/ClaimPurchase",
        purchase_linking_pb2.ClaimPurchaseRequest(
            merchant_id=shop.merchant_id,
            order_id=struct_pb2.Value(string_value="A-1"),
            token="token-of-A-1",
        ),
        proof=visitor("buyer"),
    )
    first, again = await shop.arrive("buyer"), await shop.arrive("buyer")
    assert first.share_id == again.share_id != ""
