"""Who calls is known from proofs alone."""

from __future__ import annotations

import grpc
import pytest

from guerdon.orchestration.v1 import arrival_pb2
from infrastructure.rpc.caller import CallerKind, current_caller
from server.interception.caller import CallerProof
from server.interception.chain import Call
from server.interception.proofs.client_id import CHARACTERS_MAX, ClientId
from server.interception.proofs.service_token import ServiceToken
from server.interception.refusals import Refusal
from tests.server.interception.calls import Servicer, pass_through, refusal_from
from tests.support.contract import METHODS

TOKEN = "the-token-of-services-of-this-mesh"
STEP = CallerProof([ServiceToken(TOKEN), ClientId(other_headers=["x-visitor"])])
TRACK = METHODS["/guerdon.orchestration.v1.ArrivalService/TrackArrival"]
GET_MERCHANT = METHODS["/guerdon.business.v1.BusinessService/GetMerchant"]
HEALTH = METHODS["/guerdon.edge.v1.EdgeService/GetHealth"]
WEBHOOK = METHODS["/guerdon.orchestration.v1.PurchaseWebhookService/ReceiveCustomOrder"]
A_REQUEST = arrival_pb2.TrackArrivalRequest()


async def test_a_browser_is_its_client_id() -> None:
    """Two browsers would be one person, or one of them two."""
    await pass_through(STEP, TRACK, A_REQUEST, x_client_id="one")
    assert (current_caller().kind, current_caller().client_id) == (CallerKind.VISITOR, "one")


async def test_a_client_id_may_come_under_its_old_name() -> None:
    """Shop pages with an older script would stop working."""
    await pass_through(STEP, TRACK, A_REQUEST, x_visitor="old")
    assert current_caller().client_id == "old"
    await pass_through(STEP, TRACK, A_REQUEST, x_visitor="old", x_client_id="new")
    assert current_caller().client_id == "new"


async def test_a_header_that_no_setting_names_proves_nothing() -> None:
    """Anybody could say who they are in a header of their own."""
    refused = await refusal_from(STEP, TRACK, A_REQUEST, x_user_id="somebody")
    assert refused.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "client_id", ["x" * (CHARACTERS_MAX + 1), "a\x01b", "a\nb", "café", "\xff\xfe"]
)
async def test_a_client_id_that_is_none_is_refused(client_id: str) -> None:
    """It would be stored, and printed where people look."""
    refused = await refusal_from(STEP, TRACK, A_REQUEST, x_client_id=client_id)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.path for violation in refused.violations] == ["x-client-id"]
    assert client_id not in refused.message


@pytest.mark.parametrize("fault", ["undefined", "caf\xe9"])
async def test_of_two_headers_the_one_that_names_somebody_counts(fault: str) -> None:
    """Half of a shop's pages would stop counting while it moves to the new script."""
    await pass_through(STEP, TRACK, A_REQUEST, x_client_id=fault, x_visitor="old")
    assert current_caller().client_id == "old"
    refused = await refusal_from(STEP, TRACK, A_REQUEST, x_client_id=fault, x_visitor=fault)
    assert [each.path for each in refused.violations] == ["x-client-id", "x-visitor"]


async def test_a_service_may_say_nonsense_of_its_browser() -> None:
    """It is proven; whose browser it thinks it is does not matter."""
    proof = {"x_service_auth": TOKEN, "x_client_id": "undefined"}
    await pass_through(STEP, GET_MERCHANT, A_REQUEST, **proof)
    assert current_caller().kind is CallerKind.SERVICE


async def test_the_longest_client_id_passes() -> None:
    """The limit would be lower than it says."""
    longest = "x" * CHARACTERS_MAX
    assert (await pass_through(STEP, TRACK, A_REQUEST, x_client_id=longest)).asked


@pytest.mark.parametrize(
    "name",
    ["x-service-auth", "x-client-id", "x-visitor", "x-hmac-sha256", "x-webhook-id", "webhook-id"],
)
async def test_a_proof_that_comes_twice_is_refused(name: str) -> None:
    """Somebody in front of us may have looked at the other one."""
    for method in (TRACK, WEBHOOK, HEALTH):
        servicer = Servicer()
        call = Call(method=method, headers={name: TOKEN}, repeated=[name, "cookie"], context=None)
        with pytest.raises(Refusal) as refused:
            await STEP.wrap(method, servicer)(A_REQUEST, call)
        assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.path for violation in refused.value.violations] == [name]
        assert servicer.asked == []


async def test_what_is_no_proof_may_come_twice() -> None:
    """Proxies add headers that are there already."""
    servicer = Servicer()
    call = Call(method=HEALTH, headers={}, repeated=["x-forwarded-for", "cookie"], context=None)
    await STEP.wrap(HEALTH, servicer)(A_REQUEST, call)
    assert servicer.asked


async def test_a_service_is_its_token() -> None:
    """Services could not call."""
    await pass_through(STEP, GET_MERCHANT, A_REQUEST, x_service_auth=TOKEN)
    assert current_caller().kind is CallerKind.SERVICE


@pytest.mark.parametrize("token", [TOKEN.upper(), TOKEN + " ", "tökén", ""])
async def test_another_token_proves_nothing(token: str) -> None:
    """Anybody could be a service."""
    refused = await refusal_from(STEP, GET_MERCHANT, A_REQUEST, x_service_auth=token)
    assert refused.reason == "CALLER_UNKNOWN"


async def test_who_shows_nothing_is_told_what_to_show() -> None:
    """A developer would search for the header's name."""
    refused = await refusal_from(STEP, GET_MERCHANT, A_REQUEST)
    assert refused.metadata == {"accepted": "SERVICE (header x-service-auth, on the mesh listener)"}
    assert "x-service-auth" in refused.message


async def test_open_methods_give_no_rights() -> None:
    """A proof that nobody checked would count as one."""
    await pass_through(STEP, HEALTH, A_REQUEST, x_service_auth=TOKEN)
    assert current_caller().kind is CallerKind.ANYONE
    await pass_through(STEP, WEBHOOK, A_REQUEST, x_service_auth=TOKEN, x_client_id="one")
    assert current_caller().kind is CallerKind.SHOP
