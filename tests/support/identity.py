"""People for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import insert

from domains.identity.model import IdentityNode, NodeKind
from domains.identity.tables import identity_group, identity_node
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId

FIRST_SEEN = datetime(2025, 3, 1, 12, tzinfo=UTC)
WALLET = "0x52908400098527886e0f7030069857d2e4169ee7"
OTHER_WALLET = "0xde709f2102306220921060314715629080e2fb77"


@dataclass(slots=True)
class KnownCustomers:
    """Customers of shops, and whose accounts they are."""

    known: dict[tuple[MerchantId, str], IdentityGroupId] = field(default_factory=dict)

    async def find_customer(
        self, _tx: Transaction, merchant_id: MerchantId, customer_reference: str
    ) -> IdentityGroupId | None:
        return self.known.get((merchant_id, customer_reference))


def a_client(
    identity_group_id: IdentityGroupId,
    *,
    identity_node_id: UUID | None = None,
    value: str | None = None,
    merchant_id: MerchantId | None = None,
) -> IdentityNode:
    """A browser of a person."""
    return IdentityNode(
        identity_node_id=IdentityNodeId(identity_node_id or uuid4()),
        identity_group_id=identity_group_id,
        kind=NodeKind.CLIENT,
        value=value or str(uuid4()),
        merchant_id=merchant_id or MerchantId(uuid4()),
        create_time=FIRST_SEEN,
    )


def a_wallet(
    identity_group_id: IdentityGroupId,
    *,
    identity_node_id: UUID | None = None,
    value: str = WALLET,
) -> IdentityNode:
    """The wallet of a person."""
    return IdentityNode(
        identity_node_id=IdentityNodeId(identity_node_id or uuid4()),
        identity_group_id=identity_group_id,
        kind=NodeKind.WALLET,
        value=value,
        merchant_id=None,
        create_time=FIRST_SEEN,
    )


async def add_group(tx: Transaction, *, wallet: str | None = None) -> IdentityGroupId:
    """Stores a person, with a wallet if one is given."""
    group_id = IdentityGroupId(uuid4())
    await tx.execute(
        insert(identity_group), {"identity_group_id": group_id, "create_time": FIRST_SEEN}
    )
    if wallet is not None:
        await add_node(tx, a_wallet(group_id, value=wallet))
    return group_id


async def add_node(tx: Transaction, node: IdentityNode) -> None:
    """Stores an identifier."""
    await tx.execute(
        insert(identity_node),
        {
            "identity_node_id": node.identity_node_id,
            "identity_group_id": node.identity_group_id,
            "kind": node.kind,
            "value": node.value,
            "merchant_id": node.merchant_id,
            "create_time": node.create_time,
        },
    )
