from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guerdon.edge.v1 import edge_pb2
from infrastructure.rpc.rate_class import RateClass
from server.edge.bootstrap import bootstrap_json, build_bootstrap, write_bootstrap
from server.edge.cluster import DOORS, MESH, PUBLIC, Door
from server.edge.contract import read_public_methods
from server.edge.local_replies import LOCAL_REPLIES
from server.edge.rate_limit import RateLimit
from server.edge.settings import EdgeSettings, ListenerSettings
from tests.server.edge.contracts import a_contract
from tests.server.edge.running import (
    DESCRIPTORS,
    ENVOYS_COPY,
    ROOT,
    bootstrap_of,
    envoy_command,
    envoy_environment,
)

COMMITTED = ROOT / "envoy"

EVERY_OPTION = EdgeSettings(
    public=ListenerSettings(
        host="0.0.0.0", port=443, admin_socket="envoy/public.sock", connections_max=600
    ),
    mesh=ListenerSettings(
        host="::1", port=8444, admin_socket="envoy/mesh.sock", connections_max=200
    ),
    endpoints=(("serve-1.internal", 50051), ("192.0.2.7", 50052)),
    descriptor_path=str(ENVOYS_COPY),
    dashboard_origins=("https://dash.example", "http://localhost:3000"),
    client_id_headers=("x-visitor", "x-shopper"),
    trusted_hops=2,
    health_interval_seconds=0.25,
    rate_limits={rate_class: RateLimit(per_second=1, burst=1) for rate_class in RateClass},
    address_rate_limits={RateClass.WEBHOOK: RateLimit(per_second=2, burst=2)},
)


def validate(config: Path) -> None:
    checked = subprocess.run(
        envoy_command("--mode", "validate", "--config-path", str(config)),
        cwd=ROOT,
        env=envoy_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert checked.returncode == 0, checked.stderr


def built(
    edge: EdgeSettings, door: Door = PUBLIC, descriptors: bytes | None = None
) -> dict[str, Any]:
    if descriptors is None:
        text = bootstrap_of(edge, door)
    else:
        text = bootstrap_json(build_bootstrap(edge, door, descriptors))
    content: dict[str, Any] = json.loads(text)
    return content


def routes(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    [listener] = content["staticResources"]["listeners"]
    [chain] = listener["filterChains"]
    [host] = chain["filters"][0]["typedConfig"]["routeConfig"]["virtualHosts"]
    return {route["name"]: route for route in host["routes"]}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_the_committed_bootstraps_are_what_the_contract_says(door: Door) -> None:
    """Otherwise Envoy would serve yesterday's contract. `make gen` writes the files."""
    fresh = bootstrap_json(build_bootstrap(EdgeSettings(), door, DESCRIPTORS.read_bytes()))

    assert (COMMITTED / f"{door.name}.json").read_text() == fresh


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_envoy_accepts_the_committed_bootstraps(door: Door) -> None:
    """Otherwise Envoy would not start with what is in the repository."""
    validate(COMMITTED / f"{door.name}.json")


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_envoy_accepts_every_option(tmp_path: Path, door: Door) -> None:
    """Otherwise a setting that nobody tries in development would stop a production Envoy."""
    target = tmp_path / "bootstrap.json"

    write_bootstrap(EVERY_OPTION, door, target)

    validate(target)


def test_a_public_method_has_one_route_and_no_other_method_has_any() -> None:
    """Otherwise an internal method could be called from outside, or a public one could not."""
    methods = read_public_methods(DESCRIPTORS.read_bytes())

    found = routes(built(EdgeSettings()))

    leading_somewhere = {
        name: route for name, route in found.items() if route["route"]["cluster"] != "nowhere"
    }
    assert set(leading_somewhere) == {method.full_name for method in methods}
    paths = [route["match"]["path"] for route in leading_somewhere.values()]
    assert sorted(paths) == sorted(method.grpc_path for method in methods)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_one_answer_has_fifteen_seconds_and_a_stream_all_the_time(door: Door) -> None:
    """Otherwise streams would be cut, or calls without a deadline would hang."""
    name = "shop.v1.ShopService.Watch"

    one_answer = routes(built(EdgeSettings(), door, a_contract()))[name]
    stream = routes(built(EdgeSettings(), door, a_contract(streams=True)))[name]

    assert one_answer["route"]["timeout"] == "15s"
    assert stream["route"]["timeout"] == "0s"


def test_each_rate_class_has_its_own_limit() -> None:
    """Otherwise one kind of caller could use up what another needs."""
    limits = {
        rate_class: RateLimit(per_second=10 + rate_class, burst=20 + rate_class)
        for rate_class in RateClass
    }

    found = routes(built(EdgeSettings(rate_limits=limits)))

    for method in read_public_methods(DESCRIPTORS.read_bytes()):
        filters = found[method.full_name]["typedPerFilterConfig"]
        bucket = filters["envoy.filters.http.local_ratelimit"]["tokenBucket"]
        assert bucket["tokensPerFill"] == 10 + method.rate_class
        assert bucket["maxTokens"] == 20 + method.rate_class
        assert bucket["fillInterval"] == "1s"


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/user/{id}", {"safeRegex": {"regex": ".*"}}),
        ("/common/{id}", {"safeRegex": {"regex": ".*"}}),
        ("/business/{id}", {"exact": "https://dash.example"}),
        ("/ext/{id}", None),
        ("/watch/{id}", None),
    ],
)
@pytest.mark.parametrize("rate_class", RateClass)
def test_pages_that_may_call_are_chosen_by_the_path(
    path: str, origin: Any, rate_class: RateClass
) -> None:
    """A dashboard method that is called as often as a shop's page would be open to every page."""
    edge = EdgeSettings(dashboard_origins=("https://dash.example",))

    found = routes(built(edge, descriptors=a_contract(path=path, rate_class=rate_class.value)))

    route = found["shop.v1.ShopService.Watch"]["typedPerFilterConfig"]
    bucket = route["envoy.filters.http.local_ratelimit"]["tokenBucket"]
    assert bucket["tokensPerFill"] == edge.rate_limits[rate_class].per_second
    for filters in (route, found["/" + path.split("/")[1]]["typedPerFilterConfig"]):
        cors = filters.get("envoy.filters.http.cors", {"allowOriginStringMatch": [None]})
        assert cors["allowOriginStringMatch"] == [origin]


def test_names_of_servers_are_looked_up_and_addresses_are_not() -> None:
    """Otherwise Envoy refuses names, or asks a resolver for nothing."""
    named = built(EVERY_OPTION)["staticResources"]["clusters"]
    numbered = built(EdgeSettings())["staticResources"]["clusters"]

    assert {cluster["type"] for cluster in named} == {"STRICT_DNS"}
    assert {cluster["type"] for cluster in numbered} == {"STATIC"}


def test_processes_without_calls_are_checked_as_often_as_the_others() -> None:
    """Otherwise a process that comes back at night would be found a minute later."""
    for servers in built(EVERY_OPTION)["staticResources"]["clusters"]:
        [check] = servers["healthChecks"]
        assert check["interval"] == check["noTrafficInterval"] == "0.250s"


def test_there_is_no_admin_listener_unless_asked_for() -> None:
    """Otherwise anybody on the host could stop Envoy."""
    assert "admin" not in built(EdgeSettings())
    for door in (PUBLIC, MESH):
        pipe = built(EVERY_OPTION, door)["admin"]["address"]["pipe"]
        assert pipe["path"] == f"envoy/{door.name}.sock"


def test_envoys_reasons_are_published() -> None:
    """Otherwise callers would read a reason that the contract does not explain."""
    published = {
        value.name.removeprefix("MESH_ERROR_REASON_")
        for value in edge_pb2.MeshErrorReason.DESCRIPTOR.values
    }
    reasons = {reply.reason for reply in LOCAL_REPLIES}

    assert reasons <= published
    assert reasons >= {
        "REQUEST_MALFORMED",
        "ROUTE_UNKNOWN",
        "BODY_TOO_LARGE",
        "RATE_LIMITED",
        "SERVER_AWAY",
        "SERVER_SLOW",
        "ANSWER_UNREADABLE",
    }
