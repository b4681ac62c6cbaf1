"""IdentityService as its callers see it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from domains.identity.errors import NodeNotFoundError
from domains.identity.repository import IdentityRepository
from domains.identity.service import IdentityService
from domains.identity.servicer import IdentityServicer
from guerdon.identity.v1 import identity_pb2
from infrastructure.database.repeated_call import AlreadyAnsweredError
from infrastructure.database.transaction import Database
from infrastructure.rpc.repeating import RepeatableCall, set_repeatable_call
from infrastructure.rpc.translating import to_timestamp
from tests.support.identity import (
    FIRST_SEEN,
    WALLET,
    KnownCustomers,
    a_client,
    a_wallet,
    add_group,
    add_node,
)
from vocabulary.ids import MerchantId
from vocabulary.refusals import PageTokenInvalidError


def a_servicer(database: Database) -> IdentityServicer:
    return IdentityServicer(
        database=database,
        identity=IdentityService(identities=IdentityRepository(), customers=KnownCustomers()),
        clock=lambda: FIRST_SEEN,
        new_id=uuid4,
    )


async def test_every_field_of_a_group_is_told(database: Database) -> None:
    """A caller would not see the wallet, or see one that is not there."""
    async with database.transaction() as tx:
        having, without = await add_group(tx, wallet=WALLET), await add_group(tx)

    for group, wallet in ((having, WALLET), (without, "")):
        request = identity_pb2.GetIdentityGroupRequest(identity_group_id=str(group))
        response = await a_servicer(database).GetIdentityGroup(request, None)
        assert response.identity_group == identity_pb2.IdentityGroup(
            identity_group_id=str(group),
            wallet_address=wallet,
            create_time=to_timestamp(FIRST_SEEN),
        )


async def test_each_kind_of_identifier_is_resolved_as_that_kind(database: Database) -> None:
    """A client id would be looked for among the customers, or a wallet at one merchant."""
    merchant_id = MerchantId(uuid4())
    kinds = identity_pb2.IdentityNode
    async with database.transaction() as tx:
        group = await add_group(tx, wallet=WALLET)
        await add_node(tx, a_client(group, value="browser", merchant_id=merchant_id))
    servicer = a_servicer(database)

    async def resolve(
        kind: identity_pb2.IdentityNode.Kind.ValueType, value: str, scope: str
    ) -> str:
        request = identity_pb2.ResolveIdentityGroupRequest(
            kind=kind, value=value, merchant_id=scope
        )
        response = await servicer.ResolveIdentityGroup(request, None)
        return response.identity_group.identity_group_id

    assert await resolve(kinds.KIND_CLIENT, "browser", str(merchant_id)) == str(group)
    assert await resolve(kinds.KIND_WALLET, WALLET, "") == str(group)
    with pytest.raises(NodeNotFoundError):
        await resolve(kinds.KIND_CUSTOMER, "browser", str(merchant_id))


async def test_pages_of_identifiers_follow_each_other(database: Database) -> None:
    """Whoever pages would miss an identifier, see one twice, or never reach the end."""
    async with database.transaction() as tx:
        group = await add_group(tx)
        nodes = [a_wallet(group, identity_node_id=UUID(int=1))]
        nodes += [a_client(group, identity_node_id=UUID(int=number)) for number in (2, 3)]
        for node in nodes:
            await add_node(tx, node)
    servicer = a_servicer(database)

    first = await servicer.ListIdentityNodes(
        identity_pb2.ListIdentityNodesRequest(identity_group_id=str(group), page_size=2), None
    )
    last = await servicer.ListIdentityNodes(
        identity_pb2.ListIdentityNodesRequest(
            identity_group_id=str(group), page_size=2, page_token=first.next_page_token
        ),
        None,
    )

    assert [*first.identity_nodes, *last.identity_nodes] == [
        identity_pb2.IdentityNode(
            identity_node_id=str(node.identity_node_id),
            identity_group_id=str(group),
            kind=(
                identity_pb2.IdentityNode.KIND_CLIENT
                if node.merchant_id
                else identity_pb2.IdentityNode.KIND_WALLET
            ),
            value=node.value,
            merchant_id=str(node.merchant_id or ""),
            create_time=to_timestamp(FIRST_SEEN),
        )
        for node in nodes
    ]
    assert len(first.identity_nodes) == 2
    assert last.next_page_token == ""


async def test_a_token_of_somebody_else_s_making_is_refused(database: Database) -> None:
    """A garbled token would fail as if we had a bug."""
    request = identity_pb2.ListIdentityNodesRequest(
        identity_group_id=str(uuid4()), page_token="W10"
    )
    with pytest.raises(PageTokenInvalidError):
        await a_servicer(database).ListIdentityNodes(request, None)


async def test_a_repeated_call_gets_the_answer_of_the_first(database: Database) -> None:
    """A caller who lost the answer could not find out whether the wallet was connected."""
    async with database.transaction() as tx:
        group = await add_group(tx)
    servicer = a_servicer(database)
    request = identity_pb2.ConnectWalletRequest(
        request_id=str(uuid4()), identity_group_id=str(group), wallet_address=WALLET
    )
    set_repeatable_call(
        RepeatableCall(
            principal="service:",
            method="/guerdon.identity.v1.IdentityService/ConnectWallet",
            request_id=UUID(request.request_id),
            digest=b"the same",
        )
    )
    try:
        first = await servicer.ConnectWallet(request, None)
        with pytest.raises(AlreadyAnsweredError) as again:
            await servicer.ConnectWallet(request, None)
    finally:
        set_repeatable_call(None)

    assert first.identity_group.wallet_address == WALLET
    assert identity_pb2.ConnectWalletResponse.FromString(again.value.answer) == first
