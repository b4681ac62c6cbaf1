"""Strict routes through Envoy: what a caller of JSON sends and reads."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from google.api import annotations_pb2
from google.protobuf import json_format

from infrastructure.rpc.contract import Method
from tests.support.contract import METHODS, method_ids
from tests.support.json_mesh import JsonMesh, Refused, refused_by
from tests.support.mesh import CLIENT_ID, Mesh
from tests.support.rpc_shop import CAMPAIGN, BusyShop, a_campaign
from tests.support.strict_json import WITH_BODY, WITH_QUERY, full_bodies, places_of, with_body

CREATE = METHODS[f"/{CAMPAIGN}/CreateCampaign"]
PAUSE = METHODS[f"/{CAMPAIGN}/PauseCampaign"]
MERCHANT = "0198c0de-0000-7000-8000-000000000001"
CAMPAIGNS = f"/business/merchant/{MERCHANT}/campaigns"
each_with_body = pytest.mark.parametrize("method", WITH_BODY, ids=method_ids)
each_with_query = pytest.mark.parametrize("method", WITH_QUERY, ids=method_ids)


def url_of(method: Method, message: Any) -> str:
    """The path of a method with the variables that a message says."""
    rule = method.descriptor.GetOptions().Extensions[annotations_pb2.http]
    path: str = getattr(rule, rule.WhichOneof("pattern"))
    for name in method.path_parameters:
        path = path.replace(f"{{{name}}}", str(getattr(message, name, "")))
    return path


def any_url_of(method: Method) -> str:
    return url_of(method, method.request_class(**dict.fromkeys(_variables(method), MERCHANT)))


def _variables(method: Method) -> list[str]:
    fields = method.request_type.fields_by_name
    return [name for name in method.path_parameters if name in fields]


def verb_of(method: Method) -> str:
    """The verb of a method's route."""
    verb = method.descriptor.GetOptions().Extensions[annotations_pb2.http].WhichOneof("pattern")
    return str(verb).upper()


async def refused(json_mesh: JsonMesh, url: str, body: object, *, verb: str = "POST") -> Refused:
    """How a body is refused; it is bytes, or what JSON is made of."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = refused_by(await json_mesh.mesh.request(verb, url, content=data))
    assert (told.status, told.reason) == (400, "REQUEST_INVALID")
    return told


@each_with_body
async def test_a_slip_is_named_in_the_answer(json_mesh: JsonMesh, method: Method) -> None:
    """Envoy would drop the key, and the server never hear of it."""
    path, body = next(full_bodies(method))
    for place in [*places_of(method.request_type, body)][:6]:
        key = max(place.holder, key=len)
        place.holder[key[:-1]] = place.holder.pop(key)
        told = await refused(json_mesh, url_of(method, path), body, verb=verb_of(method))
        place.holder[key] = place.holder.pop(key[:-1])
        assert told.violations[place.path_to(key[:-1])].startswith("is not known; did you mean ")
        assert key in told.message
        assert told.message.endswith("?")


async def test_a_right_body_has_its_effect(json_mesh: JsonMesh, mesh: Mesh, busy: BusyShop) -> None:
    """Nobody could create a campaign by JSON."""
    body = {
        "requestId": str(uuid4()),
        "merchantId": busy.shop.merchant_id,
        "campaign": json_format.MessageToDict(a_campaign("by JSON")),
    }
    url = f"/business/merchant/{busy.shop.merchant_id}/campaigns"

    created = (await json_mesh.mesh.post(url, json=body)).json()["campaign"]
    again = (await json_mesh.mesh.post(url, json=body)).json()["campaign"]
    del body["merchantId"]
    native = json_format.ParseDict(body, CREATE.request_class(merchant_id=busy.shop.merchant_id))
    by_grpc = await mesh.call(CREATE, native)

    assert created["name"] == "by JSON"
    assert created["id"] == again["id"] == by_grpc.campaign.campaign_id


@each_with_body
async def test_who_is_not_proven_is_told_nothing_about_the_body(
    json_mesh: JsonMesh, method: Method
) -> None:
    """Strangers could make the server read whatever they like."""
    url, proof = any_url_of(method), json_mesh.mesh.headers["x-service-auth"]
    for body in (b"{", b'{"unheardOf": 1}'):
        told = refused_by(
            await json_mesh.public.request(
                verb_of(method), url, content=body, headers={"x-service-auth": proof}
            )
        )
        assert (told.status, told.reason) == (401, "CALLER_UNKNOWN")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "is not JSON: expecting property name enclosed in double quotes"),
        (b"{} {}", "goes on after its end"),
        (b"[]", "must be an object in braces, and is a list"),
        (b"null", "must be an object in braces, and is null"),
        (b'{"publish": tru}', "is not JSON"),
        (b'{"publish": true,}', "is not JSON"),
        (b"a=1&b=2", "is not JSON"),
        (b'{"requestId": "\xff"}', "is not UTF-8, from byte 15 on"),
        (b"\xef\xbb\xbf{}", "begins with a byte order mark"),
        ("{}".encode("utf-16"), "is not UTF-8"),
        (b"[" * 15_000, "is nested more than 32 deep"),
        (b'{"a":' * 10_000, "is nested more than 32 deep"),
        (b'{"a":[' + b"0," * 30_000 + b"0]}", "has more than 20,000 values"),
    ],
)
async def test_what_is_no_object_is_refused_in_a_sentence(
    json_mesh: JsonMesh, body: bytes, says: str
) -> None:
    """A caller's fault would be answered as ours, or in words about the server's parts."""
    told = await refused(json_mesh, CAMPAIGNS, body)
    assert told.message.startswith(f"The request {says}")
    assert told.violations.keys() == {""}


async def test_no_body_is_an_object_without_keys(json_mesh: JsonMesh, busy: BusyShop) -> None:
    """Whoever has nothing to say would have to say so."""
    missing = f"/business/merchant/{busy.shop.merchant_id}/campaigns/{uuid4()}/pause"
    for body in (b"", b" \n", b"{}"):
        told = refused_by(await json_mesh.mesh.post(missing, content=body))
        assert told.reason == "CAMPAIGN_NOT_FOUND"


async def test_what_else_is_wrong_stands_beside(json_mesh: JsonMesh) -> None:
    """Each fault would cost its own round of mending and sending."""
    campaign = {
        "name": "x",
        "priority": 2_000_000,
        "rule": {
            "trigger": "TRIGGER_PURCHASE",
            "rewards": [
                {"recipient": "RECIPIENT_USER", "fixed": {"amuont": "1"}},
                {"recipient": "RECIPIENT_USER", "percentage": {"percent": "five"}},
                {"recipient": "RECIPIENT_SHOP", "percentge": {"percent": "5"}},
            ],
        },
        "startTime": "yesterday",
    }
    told = await refused(json_mesh, CAMPAIGNS, {"campaign": campaign, "validate_only": True})

    rule_faults = {
        "campaign.priority",
        "campaign.rule.rewards[1].percentage.percent",
    }
    json_faults = {
        "campaign.rule.rewards[0].fixed.amuont": "is not known; did you mean amount?",
        "campaign.rule.rewards[2].recipient": "must be one of RECIPIENT_REFERRER, "
        "RECIPIENT_REFEREE, RECIPIENT_USER",
        "campaign.rule.rewards[2].percentge": "is not known; did you mean percentage?",
        "campaign.startTime": "must be an instant like 2030-12-31T23:59:59Z",
        "validate_only": "is not known; did you mean validateOnly?",
    }
    assert told.violations.keys() - rule_faults == json_faults.keys()
    assert json_faults.items() <= told.violations.items()
    assert rule_faults <= told.violations.keys()
    assert [*told.violations][: len(json_faults)] == [*json_faults]


async def test_of_many_faults_ten_are_told(json_mesh: JsonMesh) -> None:
    """The answer would be too large to arrive, or seem to be all that there is."""
    for count in (9, 10, 11, 5_000):
        told = await refused(json_mesh, CAMPAIGNS, {f"k{i}": 1 for i in range(count)})
        # The last of ten is that there is no campaign.
        assert [*told.violations] == [*(f"k{i}" for i in range(count)), "campaign"][:10]
        # The message has room for a few of them.
        assert told.message.endswith(" More is wrong.")


@each_with_body
async def test_a_body_that_contradicts_its_path_is_refused(
    json_mesh: JsonMesh, method: Method
) -> None:
    """Whoever reads the path in a log would take the call for another one."""
    keys = [method.request_type.fields_by_name[name].json_name for name in _variables(method)]
    for key in keys:
        told = await refused(json_mesh, any_url_of(method), {key: "another"}, verb=verb_of(method))
        assert told.violations[key] == f"contradicts the path, which says {MERCHANT}"
    url = any_url_of(method)
    answer = await json_mesh.mesh.request(verb_of(method), url, json=dict.fromkeys(keys, MERCHANT))
    assert not refused_by(answer).violations.keys() & set(keys)


@pytest.mark.parametrize("name", ["raw_body", "rawBody.data", "raw_body.data", "raw%5fbody.data"])
async def test_the_body_is_not_said_by_the_query(json_mesh: JsonMesh, name: str) -> None:
    """A link could carry a campaign, past everything that reads bodies."""
    answer = await json_mesh.mesh.post(f"{CAMPAIGNS}?{name}=e30", content=b"{}")
    assert refused_by(answer).reason == "QUERY_BESIDE_BODY"


async def test_a_native_caller_is_not_concerned(mesh: Mesh, busy: BusyShop) -> None:
    """Bytes that nobody asked for could replace what the message says."""
    request = PAUSE.request_class(merchant_id=busy.shop.merchant_id, campaign_id=busy.campaign_id)
    sent = with_body(request, b'{"unheardOf": 1}')
    paused = await mesh.call(PAUSE, sent)
    assert paused.campaign.campaign_id == busy.campaign_id
    await mesh.call(f"{CAMPAIGN}/ResumeCampaign", request)


async def test_a_browser_may_say_more_than_is_known(json_mesh: JsonMesh, busy: BusyShop) -> None:
    """An older server would lose the arrivals of newer pages."""
    answer = await json_mesh.public.post(
        "/user/track/arrival",
        json={"merchantId": busy.shop.merchant_id, "unheardOf": 1},
        headers={"x-client-id": CLIENT_ID},
    )
    assert answer.status_code == 200, answer.text


@each_with_query
async def test_a_query_is_read_as_strictly(json_mesh: JsonMesh, method: Method) -> None:
    """A filter that was misspelled would be none, and everything be listed."""
    url = any_url_of(method)
    told = refused_by(await json_mesh.mesh.get(f"{url}?unheardOf=1&unheard.of"))
    assert (told.status, told.reason) == (400, "REQUEST_INVALID")
    assert {"unheardOf", '["unheard.of"]'} <= told.violations.keys()
    if "page_size" not in method.request_type.fields_by_name:
        return
    for query, path, says in (
        ("page_size=1", "page_size", "is not known; did you mean pageSize?"),
        ("pageSize=1&pageSize=2", "pageSize", "is there twice; say it once"),
        ("pageSize=one", "pageSize", "must be a whole number"),
        ("pageSize=", "pageSize", "must be a whole number"),
        ("pageSize=2147483648", "pageSize", "must be a whole number from 0 to "),
        ("pageSize=-1", "pageSize", "must be greater than or equal to 0"),
        ("pageToken=%ff", "", "has a query that is not UTF-8"),
    ):
        told = refused_by(await json_mesh.mesh.get(f"{url}?{query}"))
        assert (told.status, told.reason) == (400, "REQUEST_INVALID"), query
        assert told.violations[path].startswith(says)


async def test_a_query_fills_its_fields(json_mesh: JsonMesh, busy: BusyShop) -> None:
    """Nobody could page through a list, or look at a part of it."""
    base = f"/business/merchant/{busy.shop.merchant_id}"
    everything = (await json_mesh.mesh.get(f"{base}/purchases")).json()["purchases"]
    page = (await json_mesh.mesh.get(f"{base}/purchases?pageSize=1")).json()
    token = page["nextPageToken"]
    second = (await json_mesh.mesh.get(f"{base}/purchases?pageSize=1&pageToken={token}")).json()
    assert [*page["purchases"], *second["purchases"]] == everything[:2]

    listed = {}
    for state in ("STATE_PENDING", "state_pending", "1", "STATE_DECIDED"):
        answer = await json_mesh.mesh.get(f"{base}/interactions?state={state}")
        assert answer.status_code == 200, answer.text
        listed[state] = answer.json()["interactions"]
    assert listed["STATE_PENDING"] == listed["state_pending"] == listed["1"]
    assert {each["state"] for each in listed["STATE_DECIDED"]} == {"STATE_DECIDED"}
    assert listed["STATE_PENDING"] != listed["STATE_DECIDED"]


async def test_a_query_of_many_parameters_is_not_read(json_mesh: JsonMesh) -> None:
    """A stranger's query would cost the server milliseconds."""
    for client in (json_mesh.public, json_mesh.mesh):
        told = refused_by(await client.get(f"{CAMPAIGNS}?" + "&" * 100))
        assert told.message == "The query has more than 100 parameters."
