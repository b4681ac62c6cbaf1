"""People and their identifiers in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Uuid,
    any_,
    bindparam,
    literal_column,
    select,
    text,
    true,
)

from domains.identity.model import IdentityGroup, IdentityNode, NodeKind
from domains.identity.tables import identity_group, identity_node
from infrastructure.database.bounds import FIRST_ID
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId

# Written out, not a parameter: else no plan could use the index of wallets alone.
_WALLET: ColumnElement[str] = literal_column(f"'{NodeKind.WALLET}'")

_wallet = identity_node.alias("wallet")
_GROUPS = select(
    identity_group.c.identity_group_id,
    identity_group.c.create_time,
    _wallet.c.value.label("wallet"),
)
_WITH_WALLET = identity_group.outerjoin(
    _wallet,
    (_wallet.c.identity_group_id == identity_group.c.identity_group_id)
    & (_wallet.c.kind == _WALLET),
)
_FIND = _GROUPS.select_from(_WITH_WALLET).where(
    identity_group.c.identity_group_id == bindparam("identity_group_id")
)
_OF_IDENTIFIER = _GROUPS.select_from(
    _WITH_WALLET.join(
        identity_node, identity_node.c.identity_group_id == identity_group.c.identity_group_id
    )
).where(
    identity_node.c.kind == bindparam("kind"),
    identity_node.c.value == bindparam("value"),
)
_RESOLVE_AT_MERCHANT = _OF_IDENTIFIER.where(identity_node.c.merchant_id == bindparam("merchant_id"))
_RESOLVE_EVERYWHERE = _OF_IDENTIFIER.where(identity_node.c.merchant_id.is_(None))

_PAGE = (
    select(identity_node)
    .where(
        identity_node.c.identity_group_id == identity_group.c.identity_group_id,
        identity_node.c.identity_node_id > bindparam("after"),
    )
    .order_by(identity_node.c.identity_node_id)
    .limit(bindparam("row_limit"))
    .lateral("page")
)
# A group without identifiers is one row of nulls; no group is no row.
_LIST_NODES = (
    select(_PAGE)
    .select_from(identity_group.outerjoin(_PAGE, true()))
    .where(identity_group.c.identity_group_id == bindparam("identity_group_id"))
    .order_by(_PAGE.c.identity_node_id)
)

_WALLETS_OF = select(identity_node.c.identity_group_id, identity_node.c.value).where(
    identity_node.c.kind == _WALLET,
    identity_node.c.identity_group_id == any_(bindparam("identity_group_ids", type_=ARRAY(Uuid))),
)

# Both unique indexes have a say: one wallet a group, one group a wallet.
_ADD_WALLET = text(
    """
    WITH person AS (
        SELECT identity_group_id, create_time FROM identity_group
        WHERE identity_group_id = :identity_group_id
    ), added AS (
        INSERT INTO identity_node
            (identity_node_id, identity_group_id, kind, value, create_time)
        SELECT :identity_node_id, person.identity_group_id, 'wallet', :wallet, :create_time
        FROM person
        ON CONFLICT DO NOTHING
        RETURNING identity_group_id, value
    )
    SELECT person.identity_group_id, person.create_time, added.value AS wallet
    FROM person JOIN added USING (identity_group_id)
    """
)


class IdentityRepository:
    async def find(
        self, tx: Transaction, identity_group_id: IdentityGroupId
    ) -> IdentityGroup | None:
        found = await tx.execute(_FIND, {"identity_group_id": identity_group_id})
        row = found.one_or_none()
        return _group(row) if row is not None else None

    async def find_by_identifier(
        self, tx: Transaction, kind: NodeKind, value: str, merchant_id: MerchantId | None
    ) -> IdentityGroup | None:
        """The group that an identifier belongs to. `merchant_id` is None for a wallet alone."""
        identifier: dict[str, object] = {"kind": kind, "value": value}
        if merchant_id is None:
            found = await tx.execute(_RESOLVE_EVERYWHERE, identifier)
        else:
            found = await tx.execute(
                _RESOLVE_AT_MERCHANT, {**identifier, "merchant_id": merchant_id}
            )
        row = found.one_or_none()
        return _group(row) if row is not None else None

    async def list_nodes(
        self,
        tx: Transaction,
        identity_group_id: IdentityGroupId,
        *,
        after: UUID | None,
        limit: int,
    ) -> Sequence[IdentityNode] | None:
        """Up to `limit` identifiers after one, oldest first; None if there is no such group."""
        parameters = {
            "identity_group_id": identity_group_id,
            "after": after or FIRST_ID,
            "row_limit": limit,
        }
        rows = (await tx.execute(_LIST_NODES, parameters)).all()
        if not rows:
            return None
        return [_node(row) for row in rows if row.identity_node_id is not None]

    async def add_wallet(self, tx: Transaction, wallet: IdentityNode) -> IdentityGroup | None:
        """Gives a group its wallet, and returns the group.

        None if there is no such group, or it has a wallet, or the wallet has a group. A call
        that adds the same group or wallet at the same time is waited for. Whoever asks next
        why, in a statement of its own, sees what that call did.
        """
        assert wallet.kind is NodeKind.WALLET, wallet
        added = await tx.execute(
            _ADD_WALLET,
            {
                "identity_node_id": wallet.identity_node_id,
                "identity_group_id": wallet.identity_group_id,
                "wallet": wallet.value,
                "create_time": wallet.create_time,
            },
        )
        row = added.one_or_none()
        return _group(row) if row is not None else None

    async def wallets_of(
        self, tx: Transaction, identity_group_ids: Collection[IdentityGroupId]
    ) -> dict[IdentityGroupId, str]:
        """The wallets of those groups that have one."""
        rows = await tx.execute(_WALLETS_OF, {"identity_group_ids": list(identity_group_ids)})
        return {IdentityGroupId(row.identity_group_id): row.value for row in rows}


def _group(row: Any) -> IdentityGroup:
    return IdentityGroup(
        identity_group_id=IdentityGroupId(row.identity_group_id),
        wallet=row.wallet,
        create_time=row.create_time,
    )


def _node(row: Any) -> IdentityNode:
    return IdentityNode(
        identity_node_id=IdentityNodeId(row.identity_node_id),
        identity_group_id=IdentityGroupId(row.identity_group_id),
        kind=NodeKind(row.kind),
        value=row.value,
        merchant_id=MerchantId(row.merchant_id) if row.merchant_id is not None else None,
        create_time=row.create_time,
    )
