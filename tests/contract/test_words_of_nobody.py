"""Words that are no one, wherever an id of a person, a browser or a customer comes in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest
from google.protobuf import struct_pb2

from guerdon.attribution.v1 import attribution_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.orchestration.v1 import arrival_pb2, purchase_linking_pb2
from infrastructure.rpc.translating import to_timestamp
from tests.support.mesh import Mesh, visitor
from tests.support.nobody import WORDS
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import ARRIVAL, IDENTITY, LINKING, RpcShop, open_shop

ATTRIBUTION = "guerdon.attribution.v1.AttributionService"


@pytest.fixture
async def shop(mesh: Mesh) -> RpcShop:
    """A shop where nothing happened."""
    return await open_shop(mesh)


def a_claim(shop: RpcShop, order: str) -> purchase_linking_pb2.ClaimPurchaseRequest:
    return purchase_linking_pb2.ClaimPurchaseRequest(
        merchant_id=shop.merchant_id,
        order_id=struct_pb2.Value(string_value=order),
        token=f"token-of-{order}",
    )


# A header carries no others.
@pytest.mark.parametrize("word", [word for word in WORDS if word.isascii()])
async def test_no_browser_is_called_that(shop: RpcShop, word: str) -> None:
    """Whoever's script has the same fault would be the same person."""
    arrival = arrival_pb2.TrackArrivalRequest(merchant_id=shop.merchant_id)
    for method, request in (
        (f"{ARRIVAL}/TrackArrival", arrival),
        (f"{LINKING}/ClaimPurchase", a_claim(shop, "A-1")),
    ):
        told = await refusal_by(shop.mesh.call(method, request, proof=visitor(word)))

        assert told.code is grpc.StatusCode.INVALID_ARGUMENT
        assert told.fields == ("x-client-id",)
        assert "stands for nobody" in told.message


@pytest.mark.parametrize("word", WORDS)
async def test_nothing_of_the_past_is_filed_under_it(shop: RpcShop, word: str) -> None:
    """A shop's history would be one stranger's."""
    then = to_timestamp(datetime.now(UTC) - timedelta(days=1))
    arrival = arrival_pb2.ImportArrivalRequest(
        client_id=word,
        event_time=then,
        arrival=arrival_pb2.TrackArrivalRequest(merchant_id=shop.merchant_id),
    )
    claim = purchase_linking_pb2.ImportClaimRequest(
        client_id=word, event_time=then, claim=a_claim(shop, "A-1")
    )
    for method, request in (
        (f"{ARRIVAL}/ImportArrival", arrival),
        (f"{LINKING}/ImportClaim", claim),
    ):
        told = await refusal_by(shop.mesh.call(method, request))

        assert told.reason == "CLIENT_ID_INVALID"
        assert told.fields == ("client_id",)


@pytest.mark.parametrize("word", WORDS)
async def test_nobody_refers_anybody(shop: RpcShop, word: str) -> None:
    """A page that shares links without an id would credit whoever is called that."""
    client = str(uuid4())
    await shop.mesh.call(
        f"{ARRIVAL}/TrackArrival",
        arrival_pb2.TrackArrivalRequest(
            merchant_id=shop.merchant_id, referrer_client_id=word, referrer_share_id=word
        ),
        proof=visitor(client),
    )

    group = (await shop.arrive(client)).identity_group_id
    listed = await shop.mesh.call(
        f"{ATTRIBUTION}/ListTouchpoints",
        attribution_pb2.ListTouchpointsRequest(
            merchant_id=shop.merchant_id, identity_group_id=group
        ),
    )
    assert {each.source for each in listed.touchpoints} == {
        attribution_pb2.Touchpoint.SOURCE_DIRECT
    }


@pytest.mark.parametrize("word", WORDS)
async def test_a_report_that_names_nobody_has_no_buyer_and_no_customer(
    shop: RpcShop, word: str
) -> None:
    """Guests' orders would all belong to the first of them who shows a token."""
    await shop.order("A-1", client_id=word, customerId=word)
    await shop.mesh.call(f"{LINKING}/ClaimPurchase", a_claim(shop, "A-1"), proof=visitor("guest-1"))
    await shop.order("A-2", client_id=word, customerId=word)

    first, second = sorted(await shop.purchases(), key=lambda each: each.order_reference)
    assert first.identity_group_id
    assert (first.customer_reference, second.customer_reference) == ("", "")
    assert second.identity_group_id == ""
    told = await refusal_by(
        shop.mesh.call(
            f"{IDENTITY}/ResolveIdentityGroup",
            identity_pb2.ResolveIdentityGroupRequest(
                kind=identity_pb2.IdentityNode.KIND_CUSTOMER,
                value=word,
                merchant_id=shop.merchant_id,
            ),
        )
    )
    assert told.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("word", ["undefined", "null", "NaN", "None", "nil", "[object Object]"])
async def test_no_order_is_called_what_a_page_writes_for_none(shop: RpcShop, word: str) -> None:
    """Everybody would claim one and the same order."""
    told = await refusal_by(
        shop.mesh.call(f"{LINKING}/ClaimPurchase", a_claim(shop, word), proof=visitor())
    )

    assert told.reason == "ORDER_REFERENCE_INVALID"
    assert told.fields == ("order_id",)


@pytest.mark.parametrize("word", WORDS)
async def test_a_claim_of_a_guest_is_taken(shop: RpcShop, word: str) -> None:
    """A page that sends its guests' customer id as it is would lose their claims."""
    claim = a_claim(shop, "A-1")
    claim.customer_id.string_value = word
    await shop.order("A-1")

    answer = await shop.mesh.call(f"{LINKING}/ClaimPurchase", claim, proof=visitor())

    assert not answer.pending_webhook


WALLETS = [f"0x{'0' * 40}", f"0x{'0' * 36}dEaD", f"0x{'0' * 36}dead"]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_wallet_of_nobody_refers_nobody(shop: RpcShop, wallet: str) -> None:
    """Programs write it where there is no wallet: whoever shares such links would be one person."""
    client = str(uuid4())
    answer = await shop.mesh.call(
        f"{ARRIVAL}/TrackArrival",
        arrival_pb2.TrackArrivalRequest(
            merchant_id=shop.merchant_id, referrer_wallet_address=wallet
        ),
        proof=visitor(client),
    )

    assert answer.referral_link_id == ""


@pytest.mark.parametrize("wallet", WALLETS)
async def test_nobody_has_a_wallet_of_nobody(shop: RpcShop, wallet: str) -> None:
    """What they earn would be burnt."""
    group = (await shop.arrive(str(uuid4()))).identity_group_id
    told = await refusal_by(
        shop.mesh.call(
            f"{IDENTITY}/ConnectWallet",
            identity_pb2.ConnectWalletRequest(identity_group_id=group, wallet_address=wallet),
        )
    )

    assert told.reason == "WALLET_ADDRESS_INVALID"
    if wallet == wallet.lower():
        assert "what is sent there is lost" in told.message
