"""People."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from google.protobuf.message import Message

from guerdon.identity.v1 import identity_pb2
from tests.contract.valid_calls.making import Make, about
from tests.support.rpc_shop import BusyShop


async def _resolve(busy: BusyShop) -> Message:
    return identity_pb2.ResolveIdentityGroupRequest(
        kind=identity_pb2.IdentityNode.KIND_CLIENT,
        value=busy.client_id,
        merchant_id=busy.shop.merchant_id,
    )


async def _connect_wallet(busy: BusyShop) -> Message:
    group = (await busy.shop.arrive(str(uuid4()))).identity_group_id
    return identity_pb2.ConnectWalletRequest(
        identity_group_id=group, wallet_address=f"0x{uuid4().hex}{'0' * 8}"
    )


REQUESTS: Mapping[str, Make] = {
    "guerdon.identity.v1.IdentityService.GetIdentityGroup": about(
        identity_pb2.GetIdentityGroupRequest, identity_group_id="identity_group_id"
    ),
    "guerdon.identity.v1.IdentityService.ResolveIdentityGroup": _resolve,
    "guerdon.identity.v1.IdentityService.ListIdentityNodes": about(
        identity_pb2.ListIdentityNodesRequest, identity_group_id="identity_group_id"
    ),
    "guerdon.identity.v1.IdentityService.ConnectWallet": _connect_wallet,
}
