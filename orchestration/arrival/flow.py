"""An arrival, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from domains.attribution.model import LANDING_URL_CHARACTERS_MAX, Utm, source_of, utm_of
from infrastructure.database.repeated_call import Repeat, answer_once
from infrastructure.database.transaction import Database, Transaction
from orchestration.arrival.errors import ReferrerClientIdRefusedError
from orchestration.arrival.statements import (
    ArrivalRow,
    Arrived,
    NewIds,
    arrive,
    lock_referrals,
)
from vocabulary.addresses import normalize_address
from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId, TouchpointId
from vocabulary.nobody import is_nobody
from vocabulary.refusals import of_merchant, require_past

ATTEMPTS_MAX = 3
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a browser says of its arrival. Whoever referred it is taken as it was sent."""

    merchant_id: MerchantId
    client_id: str
    referrer_wallet: str
    referrer_client_id: str
    referrer_merchant_id: MerchantId | None
    referrer_share_id: str = ""
    landing_url: str
    utm: Utm


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRecord:
    """What was recorded."""

    identity_group_id: IdentityGroupId
    touchpoint_id: TouchpointId
    referral_link_id: ReferralLinkId | None
    share_id: UUID


class ArrivalOrchestrator:
    """Records who arrived, through which door, and who brought them.

    Locks, downwards: the request id; the merchant's referral lock, unless the visitor is new
    or nobody referred them.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        accepts_referrer_client_ids: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._accepts_referrer_client_ids = accepts_referrer_client_ids

    async def track(
        self, arrival: Arrival, *, repeat: Repeat[ArrivalRecord] | None
    ) -> ArrivalRecord:
        """Records an arrival of now.

        Raises:
            MerchantNotFoundError: there is no such merchant.
            ReferrerClientIdRefusedError: it names a referrer by their secret.
        """
        now = self._clock()
        self._refuse_secrets(arrival, field="referrer_client_id")
        return await self._record(arrival, event_time=now, now=now, repeat=repeat)

    async def record_past(
        self, arrival: Arrival, *, event_time: datetime, repeat: Repeat[ArrivalRecord] | None
    ) -> ArrivalRecord:
        """Records an arrival of the past.

        Raises:
            MerchantNotFoundError: there is no such merchant.
            EventTimeInvalidError: the time lies in the future.
            ReferrerClientIdRefusedError: it names a referrer by their secret.
        """
        now = self._clock()
        self._refuse_secrets(arrival, field="arrival.referrer_client_id")
        time = require_past(event_time, now)
        return await self._record(arrival, event_time=time, now=now, repeat=repeat)

    def _refuse_secrets(self, arrival: Arrival, *, field: str) -> None:
        if not self._accepts_referrer_client_ids and not is_nobody(arrival.referrer_client_id):
            raise ReferrerClientIdRefusedError(field=field)

    async def _record(
        self,
        arrival: Arrival,
        *,
        event_time: datetime,
        now: datetime,
        repeat: Repeat[ArrivalRecord] | None,
    ) -> ArrivalRecord:
        row = self._row(arrival, event_time=event_time, now=now)

        async def record(tx: Transaction) -> ArrivalRecord:
            locked = row.names_referrer and await lock_referrals(
                tx, merchant_id=row.merchant_id, client_id=row.client_id
            )
            arrived = await arrive(tx, row, locked=locked)
            return _record_of(of_merchant(arrived, row.merchant_id))

        async def attempt() -> ArrivalRecord:
            return await answer_once(
                self._database, repeat, record, is_one_statement=not row.names_referrer
            )

        for _ in range(ATTEMPTS_MAX):
            try:
                return await self._database.run(attempt)
            except _TwinArrivedError:
                continue
        raise AssertionError

    def _row(self, arrival: Arrival, *, event_time: datetime, now: datetime) -> ArrivalRow:
        wallet = normalize_address(arrival.referrer_wallet)
        if wallet is not None and is_nobody(wallet):
            wallet = None
        client_id = arrival.referrer_client_id
        utm = utm_of(arrival.utm, arrival.landing_url)
        return ArrivalRow(
            merchant_id=arrival.merchant_id,
            client_id=arrival.client_id,
            referrer_wallet=wallet,
            referrer_client_id=None if is_nobody(client_id) else client_id,
            referrer_merchant_id=arrival.referrer_merchant_id or arrival.merchant_id,
            referrer_share_id=_share_id(arrival.referrer_share_id),
            source=source_of(utm),
            landing_url=arrival.landing_url[:LANDING_URL_CHARACTERS_MAX],
            utm=None if utm == Utm() else asdict(utm),
            event_time=event_time,
            now=now,
            ids=NewIds(
                node_id=self._new_id(),
                group_id=IdentityGroupId(self._new_id()),
                referrer_node_id=self._new_id(),
                referrer_group_id=IdentityGroupId(self._new_id()),
                touchpoint_id=TouchpointId(self._new_id()),
                link_id=ReferralLinkId(self._new_id()),
                interaction_id=self._new_id(),
            ),
        )


def _record_of(arrived: Arrived) -> ArrivalRecord:
    if arrived.is_undecided:
        raise _TwinArrivedError
    return ArrivalRecord(
        identity_group_id=arrived.identity_group_id,
        touchpoint_id=arrived.touchpoint_id,
        referral_link_id=arrived.referral_link_id,
        share_id=arrived.share_id,
    )


def _share_id(text: str) -> UUID | None:
    """A share id as it is written; None if it is none."""
    return UUID(text) if _UUID.fullmatch(text) else None


class _TwinArrivedError(Exception):
    """The visitor became known while we thought they were new: again, with the lock."""
