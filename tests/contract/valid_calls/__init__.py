"""For each method, a call that succeeds: a file a service. A new method is added there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from google.protobuf.message import Message

from guerdon.orchestration.v1 import purchase_webhook_pb2
from infrastructure.rpc.contract import Method
from tests.contract.valid_calls.making import Make
from tests.support.mesh import Proof, proof_for
from tests.support.rpc_shop import BusyShop, sign

_SERVICES = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
_REQUESTS: Mapping[str, Make] = {
    method: make
    for service in _SERVICES
    for method, make in getattr(service, "REQUESTS", {}).items()
}
"""By the full name of each method: what every file has under `REQUESTS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidCall:
    """A request that the method answers, and the proof to show."""

    request: Message
    proof: Proof


async def a_valid_call(method: Method, busy: BusyShop) -> ValidCall:
    """A call of the method that succeeds. Each asks for something new, where it asks for more
    than a look.
    """
    make = _REQUESTS[method.descriptor.full_name]
    request = await make(busy)
    proof = proof_for(method)
    if isinstance(request, purchase_webhook_pb2.ReceiveCustomOrderRequest):
        proof = (*proof, ("x-hmac-sha256", sign(request.payload.data)))
    return ValidCall(request=request, proof=proof)
