"""Nobody calls what is not for them."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
import pytest

from infrastructure.rpc.caller import CallerKind
from infrastructure.rpc.contract import Method
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import NOBODY, SERVICE, Mesh, Proof, visitor
from tests.support.messages import a_full_request
from tests.support.refusals import refusal_by

OPEN = {CallerKind.ANYONE, CallerKind.SHOP}
"""Callers who show nothing, or nothing before the method itself looks."""

GUARDED = [method for method in METHODS.values() if not method.callers & OPEN]
PROOFS: Mapping[CallerKind, Proof] = {CallerKind.SERVICE: SERVICE, CallerKind.VISITOR: visitor()}
STRANGERS = [(method, kind) for method in GUARDED for kind in PROOFS if kind not in method.callers]
WRONG_TOKENS = {
    "wrong": "wrong-token-of-the-same-length!!",
    "empty": "",
    "a part": SERVICE[0][1][:-1],
    "too long": SERVICE[0][1] + "x",
}


def test_open_methods_are_these() -> None:
    """A method would be opened to the world without anybody noticing."""
    opened = {method.path for method in METHODS.values() if method.callers & OPEN}
    assert opened == {
        "/guerdon.edge.v1.EdgeService/GetHealth",
        "/guerdon.edge.v1.EdgeService/GetReadiness",
        "/guerdon.orchestration.v1.PurchaseWebhookService/ReceiveCustomOrder",
    }


@pytest.mark.parametrize("method", GUARDED, ids=method_ids)
async def test_without_a_proof_a_caller_is_unknown(method: Method, mesh: Mesh) -> None:
    """Anybody could call it."""
    told = await refusal_by(mesh.call(method, a_full_request(method), proof=NOBODY))
    assert told.code is grpc.StatusCode.UNAUTHENTICATED
    assert (told.domain, told.reason) == ("mesh.guerdon", "CALLER_UNKNOWN")
    provable = [kind.name for kind in (CallerKind.VISITOR, CallerKind.SERVICE)]
    accepted = [each.split()[0] for each in told.metadata["accepted"].split(" or ")]
    assert accepted == [name for name in provable if CallerKind[name] in method.callers]


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
def test_until_people_have_proofs_services_act_for_them(method: Method) -> None:
    """A method for a merchant's team alone could be called by nobody."""
    if CallerKind.MERCHANT in method.callers:
        assert CallerKind.SERVICE in method.callers


@pytest.mark.parametrize("token", WRONG_TOKENS.values(), ids=WRONG_TOKENS.keys())
@pytest.mark.parametrize("method", GUARDED, ids=method_ids)
async def test_with_a_wrong_token_a_caller_is_unknown(
    method: Method, token: str, mesh: Mesh
) -> None:
    """Anybody who knows that there is a token could call it."""
    proof = (("x-service-auth", token),)
    told = await refusal_by(mesh.call(method, a_full_request(method), proof=proof))
    assert told.code is grpc.StatusCode.UNAUTHENTICATED
    assert told.reason == "CALLER_UNKNOWN"


@pytest.mark.parametrize(
    ("method", "kind"),
    STRANGERS,
    ids=[f"{method_ids(each)}-{kind.name}" for each, kind in STRANGERS],
)
async def test_whoever_it_is_not_for_is_refused(
    method: Method, kind: CallerKind, mesh: Mesh
) -> None:
    """A browser could call what is for services, or a service act as a browser."""
    told = await refusal_by(mesh.call(method, a_full_request(method), proof=PROOFS[kind]))
    assert told.code is grpc.StatusCode.PERMISSION_DENIED
    assert (told.domain, told.reason) == ("mesh.guerdon", "CALLER_REFUSED")


@pytest.mark.parametrize("method", GUARDED, ids=method_ids)
async def test_who_calls_is_asked_before_what(method: Method, mesh: Mesh) -> None:
    """A stranger could learn from refusals what a method looks at."""
    told = await refusal_by(mesh.call_raw(method, b"", proof=NOBODY))
    assert told.reason == "CALLER_UNKNOWN"


async def test_an_empty_client_id_proves_nobody(mesh: Mesh) -> None:
    """Every browser without a client id would be the same visitor."""
    method = METHODS["/guerdon.orchestration.v1.ArrivalService/TrackArrival"]
    told = await refusal_by(mesh.call(method, a_full_request(method), proof=visitor("")))
    assert told.reason == "CALLER_UNKNOWN"


async def test_a_service_that_shows_a_client_id_too_is_either(mesh: Mesh) -> None:
    """A service in front of browsers passes their headers on."""
    both = (*SERVICE, *visitor())
    for name in (
        "guerdon.identity.v1.IdentityService/GetIdentityGroup",
        "guerdon.orchestration.v1.ArrivalService/TrackArrival",
    ):
        method = METHODS[f"/{name}"]
        told = await refusal_by(mesh.call(method, a_full_request(method), proof=both))
        assert told.code is grpc.StatusCode.NOT_FOUND
