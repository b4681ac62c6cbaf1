"""IdentityService, translated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.identity.model import IdentityGroup, IdentityNode, NodeKind
from domains.identity.service import IdentityService
from guerdon.identity.v1 import identity_pb2, identity_pb2_grpc
from infrastructure.database.repeated_call import answer_once
from infrastructure.database.transaction import Database, Transaction
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import number_of, to_timestamp, word_of
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    def __init__(
        self,
        *,
        database: Database,
        identity: IdentityService,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._identity = identity
        self._clock = clock
        self._new_id = new_id

    async def GetIdentityGroup(
        self, request: identity_pb2.GetIdentityGroupRequest, context: Any
    ) -> identity_pb2.GetIdentityGroupResponse:
        async with self._database.single() as tx:
            group = await self._identity.get(tx, IdentityGroupId(UUID(request.identity_group_id)))
        return identity_pb2.GetIdentityGroupResponse(identity_group=_group_to_proto(group))

    async def ResolveIdentityGroup(
        self, request: identity_pb2.ResolveIdentityGroupRequest, context: Any
    ) -> identity_pb2.ResolveIdentityGroupResponse:
        merchant_id = MerchantId(UUID(request.merchant_id)) if request.merchant_id else None
        async with self._database.single() as tx:
            group = await self._identity.resolve(
                tx,
                word_of(request.kind, NodeKind, identity_pb2.IdentityNode.Kind),
                request.value,
                merchant_id=merchant_id,
            )
        return identity_pb2.ResolveIdentityGroupResponse(identity_group=_group_to_proto(group))

    async def ListIdentityNodes(
        self, request: identity_pb2.ListIdentityNodesRequest, context: Any
    ) -> identity_pb2.ListIdentityNodesResponse:
        start = page_start(request, UUID)
        async with self._database.single() as tx:
            nodes = await self._identity.list_nodes(
                tx,
                IdentityGroupId(UUID(request.identity_group_id)),
                after=start.after,
                limit=start.limit,
            )
        return page_of(
            nodes,
            start,
            key=lambda each: each.identity_node_id,
            to_message=_node_to_proto,
            response=identity_pb2.ListIdentityNodesResponse,
        )

    async def ConnectWallet(
        self, request: identity_pb2.ConnectWalletRequest, context: Any
    ) -> identity_pb2.ConnectWalletResponse:
        async def connect(tx: Transaction) -> identity_pb2.ConnectWalletResponse:
            group = await self._identity.connect_wallet(
                tx,
                IdentityGroupId(UUID(request.identity_group_id)),
                request.wallet_address,
                identity_node_id=IdentityNodeId(self._new_id()),
                now=self._clock(),
            )
            return identity_pb2.ConnectWalletResponse(identity_group=_group_to_proto(group))

        return await answer_once(self._database, current_repeat(), connect)


def _group_to_proto(group: IdentityGroup) -> identity_pb2.IdentityGroup:
    return identity_pb2.IdentityGroup(
        identity_group_id=str(group.identity_group_id),
        wallet_address=group.wallet or "",
        create_time=to_timestamp(group.create_time),
    )


def _node_to_proto(node: IdentityNode) -> identity_pb2.IdentityNode:
    return identity_pb2.IdentityNode(
        identity_node_id=str(node.identity_node_id),
        identity_group_id=str(node.identity_group_id),
        kind=number_of(node.kind, identity_pb2.IdentityNode.Kind),
        value=node.value,
        merchant_id=str(node.merchant_id) if node.merchant_id is not None else "",
        create_time=to_timestamp(node.create_time),
    )
