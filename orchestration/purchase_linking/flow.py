"""A claim, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.purchases.model import token_digest
from infrastructure.database.repeated_call import Repeat, answer_once
from infrastructure.database.transaction import Database, Transaction
from orchestration.purchase_linking.statements import Claimed, ClaimRow, claim
from vocabulary.ids import IdentityGroupId, MerchantId
from vocabulary.refusals import of_merchant, require_past


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a browser says of its order."""

    merchant_id: MerchantId
    client_id: str
    order_reference: str
    token: str


class PurchaseLinkingOrchestrator:
    """Links an order to the browser that shows its token.

    Locks, downwards: the request id; the order row, which reports and the worker write as well.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def claim(self, each: Claim, *, repeat: Repeat[Claimed] | None) -> Claimed:
        """Claims an order now. The earliest claim with the order's token wins.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        now = self._clock()
        return await self._claim(each, event_time=now, now=now, repeat=repeat)

    async def claim_past(
        self, each: Claim, *, event_time: datetime, repeat: Repeat[Claimed] | None
    ) -> Claimed:
        """Claims an order as of a time in the past.

        Raises:
            MerchantNotFoundError: there is no such merchant.
            EventTimeInvalidError: the time lies in the future.
        """
        now = self._clock()
        time = require_past(event_time, now)
        return await self._claim(each, event_time=time, now=now, repeat=repeat)

    async def _claim(
        self, each: Claim, *, event_time: datetime, now: datetime, repeat: Repeat[Claimed] | None
    ) -> Claimed:
        row = ClaimRow(
            merchant_id=each.merchant_id,
            client_id=each.client_id,
            order_reference=each.order_reference,
            token_digest=token_digest(each.token),
            event_time=event_time,
            now=now,
            new_node_id=self._new_id(),
            new_group_id=IdentityGroupId(self._new_id()),
            new_interaction_id=self._new_id(),
        )

        async def link(tx: Transaction) -> Claimed:
            return of_merchant(await claim(tx, row), row.merchant_id)

        return await self._database.run(
            lambda: answer_once(self._database, repeat, link, is_one_statement=True)
        )
