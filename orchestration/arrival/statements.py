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
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId, TouchpointId

RESOLVE_CLIENT = """
    known_client AS (
        SELECT identity_group_id, share_id FROM identity_node
        WHERE kind = 'client' AND value = :client_id AND merchant_id = :merchant_id
    ), made_client AS (
        INSERT INTO identity_node
            (identity_node_id, identity_group_id, kind, value, merchant_id, create_time)
        SELECT :new_node_id, :new_group_id, 'client', :client_id, shop.merchant_id, :now
        FROM shop WHERE CAST(:client_id AS text) IS NOT NULL
                    AND NOT EXISTS (SELECT FROM known_client)
        ON CONFLICT ON CONSTRAINT uq_identity_node_identifier
            DO UPDATE SET value = excluded.value
        RETURNING identity_group_id, share_id
    ), visitor AS (
        SELECT identity_group_id, share_id, false AS is_new FROM known_client
        WHERE EXISTS (SELECT FROM shop)
        UNION ALL
        SELECT identity_group_id, share_id, identity_group_id = :new_group_id FROM made_client
    ), made_group AS (
        INSERT INTO identity_group (identity_group_id, create_time)
        SELECT identity_group_id, :now FROM visitor WHERE is_new
    )"""
"""Finds the group of a browser at the merchant of `shop`, or makes it.

Race-free: a twin that makes the same node first is waited for, and its group is taken. The
update that changes nothing is what makes PostgreSQL return the twin's row.
"""

PAST_LINKS_MAX = 20
"""How many ended links of one person an arrival of the past looks at, at each level."""

_DOORS = ", ".join(f"'{source}'" for source in Source)

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

_VISITOR = f"""
    WITH RECURSIVE shop AS (
        SELECT merchant_id, look_back, attribution_model FROM merchant
        WHERE merchant_id = :merchant_id
    ), {RESOLVE_CLIENT}"""

_REFERRER = """
    known_referrer AS (
        SELECT identity_group_id FROM (
            SELECT identity_group_id, 1 AS preference FROM identity_node
            WHERE kind = 'wallet' AND value = :referrer_wallet AND merchant_id IS NULL
            UNION ALL
            SELECT identity_group_id, 2 FROM identity_node
            WHERE share_id = CAST(:referrer_share_id AS uuid)
            UNION ALL
            SELECT identity_group_id, 3 FROM identity_node
            WHERE kind = 'client' AND value = :referrer_client_id
              AND merchant_id = :referrer_merchant_id
            UNION ALL
            -- The visitor's own browser, seen for the first time: a link to oneself.
            SELECT identity_group_id, 4 FROM visitor
            WHERE is_new AND :referrer_client_id = :client_id
              AND :referrer_merchant_id = :merchant_id
        ) AS found ORDER BY preference LIMIT 1
    ), made_referrer AS (
        -- A wallet that shared a link is a person, whether or not we have met them.
        INSERT INTO identity_node
            (identity_node_id, identity_group_id, kind, value, merchant_id, create_time)
        SELECT :new_referrer_node_id, :new_referrer_group_id, 'wallet', :referrer_wallet, NULL, :now
        FROM shop WHERE CAST(:referrer_wallet AS text) IS NOT NULL
                    AND NOT EXISTS (SELECT FROM known_referrer)
        ON CONFLICT ON CONSTRAINT uq_identity_node_identifier
            DO UPDATE SET value = excluded.value
        RETURNING identity_group_id
    ), made_referrer_group AS (
        INSERT INTO identity_group (identity_group_id, create_time)
        SELECT identity_group_id, :now FROM made_referrer
        WHERE identity_group_id = :new_referrer_group_id
    ), referrer AS (
        SELECT identity_group_id FROM known_referrer WHERE EXISTS (SELECT FROM shop)
        UNION ALL
        SELECT identity_group_id FROM made_referrer
    )"""

_TOUCH = f"""
    newest AS (
        -- The visitor's last arrival: the newest of each door, then the newest of those.
        SELECT touch.* FROM visitor, unnest(ARRAY[{_DOORS}]) AS door (source),
        LATERAL (
            SELECT touchpoint_id, source, referrer_group_id, landing_url, utm, arrival_time
            FROM touchpoint
            WHERE touchpoint.merchant_id = :merchant_id
              AND touchpoint.identity_group_id = visitor.identity_group_id
              AND touchpoint.source = door.source
              AND touchpoint.arrival_time <= :event_time
            ORDER BY arrival_time DESC, touchpoint_id DESC LIMIT 1
        ) AS touch
        WHERE NOT visitor.is_new
        ORDER BY touch.arrival_time DESC, touch.touchpoint_id DESC LIMIT 1
    ), followed AS (
        -- By whose link. One's own, and one of nobody that is known, brought nobody.
        SELECT other.referrer_group_id,
               CASE WHEN other.referrer_group_id IS NULL THEN :source
                    ELSE '{Source.REFERRAL_LINK}' END AS source
        FROM visitor LEFT JOIN referrer ON true, LATERAL (
            SELECT NULLIF(referrer.identity_group_id, visitor.identity_group_id)
                       AS referrer_group_id
        ) AS other
    ), repeated AS (
        -- A page that is opened again and again is one arrival a minute.
        SELECT newest.touchpoint_id
        FROM newest, followed
        WHERE newest.arrival_time > CAST(:event_time AS timestamptz) - interval '1 minute'
          AND newest.source = followed.source AND newest.landing_url = :landing_url
          AND newest.utm IS NOT DISTINCT FROM CAST(:utm AS jsonb)
          AND newest.referrer_group_id IS NOT DISTINCT FROM followed.referrer_group_id
    ), touched AS (
        INSERT INTO touchpoint
            (merchant_id, touchpoint_id, identity_group_id, source, referrer_group_id,
             landing_url, utm, arrival_time)
        SELECT :merchant_id, :touchpoint_id, visitor.identity_group_id, followed.source,
               followed.referrer_group_id, :landing_url, CAST(:utm AS jsonb), :event_time
        FROM visitor, followed
        WHERE NOT EXISTS (SELECT FROM repeated)
    )"""

_PAST_LINKS = f"""            UNION ALL
            -- For arrivals of the past: links of the time from which the new one holds.
            (SELECT referrer_group_id FROM referral_link
             WHERE merchant_id = :merchant_id AND referee_group_id = ancestor.identity_group_id
               AND end_time > :event_time
             ORDER BY start_time DESC, referral_link_id DESC LIMIT {PAST_LINKS_MAX})
"""

_LINK = f"""
    candidate AS (
        SELECT referrer.identity_group_id AS referrer_group_id,
               visitor.identity_group_id AS referee_group_id
        FROM visitor JOIN referrer ON referrer.identity_group_id <> visitor.identity_group_id
        WHERE visitor.is_new OR :locked
    ), active AS (
        SELECT link.referral_link_id, link.start_time,
               link.referrer_group_id = candidate.referrer_group_id AS is_same,
               shop.attribution_model = 'last_touch' OR NOT EXISTS (
                   SELECT FROM (
                       SELECT FROM touchpoint
                       WHERE touchpoint.merchant_id = :merchant_id
                         AND touchpoint.identity_group_id = candidate.referee_group_id
                         AND touchpoint.referrer_group_id = link.referrer_group_id
                         AND touchpoint.arrival_time > :event_time - shop.look_back
                         AND touchpoint.arrival_time <= :event_time
                       ORDER BY touchpoint.arrival_time DESC LIMIT 1
                   ) AS touch
               ) AS is_over
        FROM candidate, LATERAL (
            SELECT referral_link_id, referrer_group_id, start_time FROM referral_link
            WHERE merchant_id = :merchant_id
              AND referee_group_id = candidate.referee_group_id AND end_time IS NULL
            ORDER BY start_time DESC, referral_link_id DESC LIMIT 1
        ) AS link, shop
    ), ancestor (identity_group_id, depth) AS (
        -- Somebody who is seen for the first time is above nobody. A circle that is longer than
        -- any rule looks does no harm, so the walk ends there.
        SELECT referrer_group_id, 1 FROM candidate, visitor WHERE NOT visitor.is_new
        UNION ALL
        SELECT link.referrer_group_id, ancestor.depth + 1
        FROM ancestor, LATERAL (
            (SELECT referrer_group_id FROM referral_link
             WHERE merchant_id = :merchant_id AND referee_group_id = ancestor.identity_group_id
               AND end_time IS NULL
             ORDER BY start_time DESC, referral_link_id DESC LIMIT 1)
{{past_links}}        ) AS link
        WHERE ancestor.depth < {DEPTH_MAX}
    ), accepted AS (
        SELECT candidate.* FROM candidate
        WHERE NOT EXISTS (SELECT FROM active WHERE is_same OR NOT is_over
                                               OR active.start_time > :event_time)
          AND candidate.referee_group_id NOT IN (SELECT identity_group_id FROM ancestor)
    ), brought_before AS (
        SELECT FROM candidate, LATERAL (
            SELECT FROM referral_link
            WHERE merchant_id = :merchant_id
              AND referee_group_id = candidate.referee_group_id
            ORDER BY start_time DESC, referral_link_id DESC LIMIT 1
        ) AS link
    ), ended AS (
        UPDATE referral_link AS link SET end_time = :event_time, end_reason = 'replaced'
        WHERE link.merchant_id = :merchant_id
          AND link.referral_link_id = (SELECT active.referral_link_id FROM active, accepted)
        RETURNING link.referral_link_id
    ), linked AS (
        INSERT INTO referral_link
            (merchant_id, referral_link_id, referrer_group_id, referee_group_id, start_time,
             create_time)
        SELECT :merchant_id, :new_link_id, accepted.referrer_group_id, accepted.referee_group_id,
               :event_time, :now
        -- The old link ends before the new one begins: the count makes this wait for it.
        FROM accepted, (SELECT count(*) FROM ended) AS done
        RETURNING referral_link_id, referee_group_id
    ), noted AS (
        -- A person is brought to a merchant once, however often their referrer changes.
        INSERT INTO interaction
            (interaction_id, merchant_id, kind, identity_group_id, referral_link_id, event_time,
             referral_reference, due_time)
        SELECT :new_interaction_id, :merchant_id, 'referral', referee_group_id, referral_link_id,
               :event_time, :referral_reference, GREATEST(:event_time, :now)
        FROM linked WHERE NOT EXISTS (SELECT FROM brought_before)
    )"""

_LINKED = """
    SELECT visitor.identity_group_id, visitor.share_id, linked.referral_link_id,
           COALESCE((SELECT touchpoint_id FROM repeated), :touchpoint_id) AS touchpoint_id,
           NOT visitor.is_new AND NOT :locked AND EXISTS (SELECT FROM referrer) AS is_undecided
    FROM visitor LEFT JOIN linked ON true
"""
# What a statement does not need costs time all the same: PostgreSQL would plan it, and the parts
# that depend on a parameter keep it from ever keeping a plan. So there are three.
_NO_REFERRER = """
    referrer AS (SELECT CAST(NULL AS uuid) AS identity_group_id WHERE false)"""
_NO_LINK = """
    SELECT visitor.identity_group_id, visitor.share_id, CAST(NULL AS uuid) AS referral_link_id,
           COALESCE((SELECT touchpoint_id FROM repeated), :touchpoint_id) AS touchpoint_id,
           false AS is_undecided
    FROM visitor
"""


def _statement(*parts: str, end: str) -> TextClause:
    joined = ",".join(parts) + end
    return text(joined).bindparams(bindparam("utm", type_=JSONB(none_as_null=True)))


_ARRIVE_ALONE = _statement(_VISITOR, _NO_REFERRER, _TOUCH, end=_NO_LINK)
_ARRIVE_BY_LINK = _statement(_VISITOR, _REFERRER, _TOUCH, _LINK.format(past_links=""), end=_LINKED)
_ARRIVE_BY_LINK_BEFORE = _statement(
    _VISITOR, _REFERRER, _TOUCH, _LINK.format(past_links=_PAST_LINKS), end=_LINKED
)


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
