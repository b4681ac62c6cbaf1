"""The statements of an arrival: at most two, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from domains.attribution.model import Source
from domains.referral.model import DEPTH_MAX
from domains.rewards.model import referral_reference
from infrastructure.database.sql_files import quoted, sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId, TouchpointId

PAST_LINKS_MAX = 20
"""How many ended links of one person an arrival of the past looks at, at each level."""

# A referrer of an arrival that names one needs the referral lock, unless the visitor is made by
# this very arrival: nobody can refer through somebody who was not there.
_LOCK = text(
    """
    SELECT EXISTS (
        SELECT FROM identity_node
        WHERE kind = 'client' AND value = :client_id AND merchant_id = :merchant_id
    ) AS is_known, (
        SELECT true FROM (
            SELECT pg_advisory_xact_lock(hashtextextended('referral:' || :merchant_text, 0))
            FROM identity_node
            WHERE kind = 'client' AND value = :client_id AND merchant_id = :merchant_id
        ) AS lock
    ) AS locked
    """
)


def _arriving(*, with_referrer: bool, of_the_past: bool = False) -> TextClause:
    statement = sql_file(
        __file__,
        "arrive.sql",
        with_referrer=with_referrer,
        of_the_past=of_the_past,
        doors=quoted(Source),
        referral_link=quoted([Source.REFERRAL_LINK]),
        depth_max=DEPTH_MAX,
        past_links_max=PAST_LINKS_MAX,
    )
    return statement.bindparams(bindparam("utm", type_=JSONB(none_as_null=True)))


_ARRIVE_ALONE = _arriving(with_referrer=False)
_ARRIVE_BY_LINK = _arriving(with_referrer=True)
_ARRIVE_BY_LINK_BEFORE = _arriving(with_referrer=True, of_the_past=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids of everything that an arrival may make."""

    node_id: UUID
    group_id: IdentityGroupId
    referrer_node_id: UUID
    referrer_group_id: IdentityGroupId
    touchpoint_id: TouchpointId
    link_id: ReferralLinkId
    interaction_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRow:
    """What an arrival is written from.

    `referrer_wallet` is an address in lower case. `source` is what it counts as unless the link
    is another person's.
    """

    merchant_id: MerchantId
    client_id: str
    referrer_wallet: str | None
    referrer_client_id: str | None
    referrer_merchant_id: MerchantId
    referrer_share_id: UUID | None
    source: str
    landing_url: str
    utm: dict[str, str] | None
    event_time: datetime
    now: datetime
    ids: NewIds

    @property
    def names_referrer(self) -> bool:
        """Whether it says who referred the visitor, in whichever way."""
        named = (self.referrer_wallet, self.referrer_client_id, self.referrer_share_id)
        return any(each is not None for each in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What an arrival came to. `is_undecided`: it needs the referral lock after all."""

    identity_group_id: IdentityGroupId
    share_id: UUID
    touchpoint_id: TouchpointId
    referral_link_id: ReferralLinkId | None
    is_undecided: bool


async def lock_referrals(tx: Transaction, *, merchant_id: MerchantId, client_id: str) -> bool:
    """Takes the merchant's referral lock if the visitor is known; says whether it did."""
    parameters = {
        "merchant_id": merchant_id,
        "merchant_text": str(merchant_id),
        "client_id": client_id,
    }
    return bool((await tx.execute(_LOCK, parameters)).one().locked)


async def arrive(tx: Transaction, row: ArrivalRow, *, locked: bool) -> Arrived | None:
    """Writes everything of an arrival. None: there is no such merchant, nothing is written."""
    parameters: dict[str, Any] = {
        "merchant_id": row.merchant_id,
        "client_id": row.client_id,
        "new_node_id": row.ids.node_id,
        "new_group_id": row.ids.group_id,
        "now": row.now,
        "referrer_wallet": row.referrer_wallet,
        "referrer_client_id": row.referrer_client_id,
        "referrer_merchant_id": row.referrer_merchant_id,
        "referrer_share_id": row.referrer_share_id,
        "new_referrer_node_id": row.ids.referrer_node_id,
        "new_referrer_group_id": row.ids.referrer_group_id,
        "touchpoint_id": row.ids.touchpoint_id,
        "source": row.source,
        "landing_url": row.landing_url,
        "utm": row.utm,
        "event_time": row.event_time,
        "locked": locked,
        "new_link_id": row.ids.link_id,
        "new_interaction_id": row.ids.interaction_id,
        "referral_reference": referral_reference(row.client_id),
    }
    if not row.names_referrer:
        statement = _ARRIVE_ALONE
    else:
        statement = _ARRIVE_BY_LINK_BEFORE if row.event_time < row.now else _ARRIVE_BY_LINK
    found = (await tx.execute(statement, parameters)).one_or_none()
    if found is None:
        return None
    return Arrived(
        identity_group_id=IdentityGroupId(found.identity_group_id),
        share_id=found.share_id,
        touchpoint_id=TouchpointId(found.touchpoint_id),
        referral_link_id=None
        if found.referral_link_id is None
        else ReferralLinkId(found.referral_link_id),
        is_undecided=found.is_undecided,
    )
