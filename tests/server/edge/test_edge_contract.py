from __future__ import annotations

import pytest

from guerdon.options.v1 import method_pb2
from infrastructure.rpc.contract import ContractError
from infrastructure.rpc.rate_class import RateClass
from server.edge.contract import read_public_methods, services_of
from server.edge.rate_limit import RateLimit, default_rate_limits
from server.edge.settings import EdgeSettings
from tests.server.edge.contracts import a_contract
from tests.server.edge.running import DESCRIPTORS


def test_a_routed_method_is_read_whole() -> None:
    """A path that is left out would have no CORS policy, a wrong name no route."""
    [method] = read_public_methods(a_contract())

    assert method.full_name == "shop.v1.ShopService.Watch"
    assert method.grpc_path == "/shop.v1.ShopService/Watch"
    assert method.json_paths == ("/watch/{id}", "/older")
    assert method.rate_class is RateClass.PROBE
    assert not method.streams


def test_a_stream_is_told_from_one_answer() -> None:
    """Otherwise a stream would be cut after the time of one answer."""
    [method] = read_public_methods(a_contract(streams=True))

    assert method.streams


def test_a_route_without_a_rate_class_is_refused_by_name() -> None:
    """Otherwise the method could be called without any limit."""
    with pytest.raises(ContractError, match=r"shop\.v1\.ShopService\.Watch .*rate_class"):
        read_public_methods(a_contract(rate_class=method_pb2.RATE_CLASS_UNSPECIFIED))


def test_a_service_without_routes_is_not_public() -> None:
    """Otherwise Envoy would offer internal services to the world."""
    services = services_of(read_public_methods(DESCRIPTORS.read_bytes()))

    assert "guerdon.edge.v1.EdgeService" in services
    assert "guerdon.identity.v1.IdentityService" not in services
    assert list(services) == sorted(set(services))


def test_every_rate_class_of_the_contract_is_known() -> None:
    """Otherwise a new class in the contract would stop the configuration from being built."""
    published = {value.number for value in method_pb2.RateClass.DESCRIPTOR.values if value.number}

    assert set(RateClass) == published == set(default_rate_limits())


def test_settings_that_cannot_work_are_refused() -> None:
    """Otherwise Envoy would refuse them when it starts, in words of its own."""
    tracking = {RateClass.TRACKING: RateLimit(per_second=1, burst=1)}

    with pytest.raises(ValueError, match="leaves out WEBHOOK, DASHBOARD, PROBE"):
        EdgeSettings(rate_limits=tracking)
    with pytest.raises(ValueError, match="no server process"):
        EdgeSettings(endpoints=())
    with pytest.raises(ValueError, match="at least one call"):
        RateLimit(per_second=0, burst=1)
