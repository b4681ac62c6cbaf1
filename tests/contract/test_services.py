"""What is promised is served: every service, every method, with everything it must say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from infrastructure.rpc.caller import CallerKind
from infrastructure.rpc.contract import ContractError, Method
from infrastructure.rpc.served import served
from server.serving import OPEN_SERVICES
from tests.contract.valid_calls import a_valid_call
from tests.support.contract import METHODS, SERVICES, is_required, method_ids
from tests.support.lints import assert_none
from tests.support.mesh import Mesh
from tests.support.rpc_shop import BusyShop


def test_every_service_of_the_contract_is_served(mesh: Mesh) -> None:
    """A service that callers read about would answer UNIMPLEMENTED."""
    assert sorted(each.name for each in mesh.application.services) == sorted(
        each.full_name for each in SERVICES
    )


class OnlyHealth(edge_pb2_grpc.EdgeServiceServicer):
    """Leaves a method to the generated base class."""

    async def GetHealth(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC names it
        raise NotImplementedError


def test_a_servicer_that_leaves_a_method_out_keeps_the_server_from_starting() -> None:
    """The generated base class would answer UNIMPLEMENTED."""
    incomplete: Any = OnlyHealth
    edge = edge_pb2.DESCRIPTOR.services_by_name["EdgeService"]
    with pytest.raises(ContractError, match=r"OnlyHealth does not answer .*/GetReadiness"):
        served(incomplete(), edge)


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
async def test_a_method_answers(method: Method, mesh: Mesh, busy: BusyShop) -> None:
    """The method cannot be used at all."""
    valid = await a_valid_call(method, busy)
    await mesh.call(method, valid.request, proof=valid.proof)


def assert_of_every_method(holds: Callable[[Method], bool]) -> None:
    assert_none(method.path for method in METHODS.values() if not holds(method))


def test_a_method_says_whether_it_may_be_repeated() -> None:
    """Whoever calls could not know whether to try again after a lost connection."""
    assert_of_every_method(
        lambda method: method.descriptor.GetOptions().HasField("idempotency_level")
    )


def test_what_a_caller_may_repeat_takes_a_request_id() -> None:
    """A caller that lost the answer would create the thing twice. Webhooks have event ids."""

    def holds(method: Method) -> bool:
        options: MethodOptions = method.descriptor.GetOptions()
        is_read = options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
        return method.takes_request_id == (not is_read and CallerKind.SHOP not in method.callers)

    assert_of_every_method(holds)


def test_everybody_may_only_look() -> None:
    """A method without a caller could not keep one caller's request ids from another's."""

    def holds(method: Method) -> bool:
        is_alone = method.callers == {CallerKind.ANYONE} and not method.takes_request_id
        return is_alone or CallerKind.ANYONE not in method.callers

    assert_of_every_method(holds)


def test_a_merchants_method_names_the_merchant() -> None:
    """Whoever leaves the merchant out would be asked for no role at it."""
    assert_of_every_method(
        lambda method: (
            not method.merchant_role
            or is_required(method.request_type.fields_by_name["merchant_id"])
        )
    )


async def services_listed(mesh: Mesh) -> set[str]:
    """What reflection says that there is."""
    # The generated stubs know synchronous channels only, as far as their types say.
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, mesh.channel))
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = [each async for each in stub.ServerReflectionInfo(iter([request]))]
    return {service.name for service in answer.list_services_response.service}


async def test_reflection_lists_every_service(mesh: Mesh) -> None:
    """A stranger with a generic client would not find what there is."""
    listed = await services_listed(mesh)
    assert {each.full_name for each in SERVICES} <= listed


async def test_health_says_serving(mesh: Mesh) -> None:
    """Envoy would send the server no calls."""
    stub: Any = health_pb2_grpc.HealthStub(cast(Any, mesh.channel))
    health = await stub.Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_only_named_services_go_without_access_rules(mesh: Mesh) -> None:
    """A service that slipped past the steps would be open to everybody."""
    strangers = await services_listed(mesh) - {each.full_name for each in SERVICES}
    assert all(f"/{name}/" in OPEN_SERVICES for name in strangers)


async def test_an_unknown_method_is_unimplemented(mesh: Mesh) -> None:
    """A misspelt method would be taken for a fault of ours."""
    send: Any = mesh.channel.unary_unary("/guerdon.edge.v1.EdgeService/GetNothing")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await send(b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
