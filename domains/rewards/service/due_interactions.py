"""The use cases of what is due: its turn, its waits, and its tries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domains.rewards.model import Interaction, Obstacle, OrderLife, Place
from domains.rewards.model.event import retry_pause, wait_pause
from domains.rewards.repository import DueEventRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import InteractionId, MerchantId

UNREAD_PAUSE = timedelta(minutes=10)
"""How long an interaction waits that cannot be read: it is in words that this version lacks."""

Wait = tuple[Interaction, str | None]
"""An interaction, and the rate that it waits for if it waits for one, as in `USD/EUR`."""


class DueInteractionsService:
    def __init__(
        self,
        *,
        due_events: DueEventRepository,
    ) -> None:
        self._due_events = due_events

    async def promote_due(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: datetime | None,
        until: datetime,
        round_number: int,
        limit: int,
    ) -> tuple[int, datetime | None]:
        """Takes up to `limit` referrals that are due into a round.

        Returns how many, and the last due time among them.
        """
        return await self._due_events.promote(
            tx, merchant_id, after=after, until=until, round_number=round_number, limit=limit
        )

    async def list_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: Place | None,
        limit: int,
    ) -> Sequence[Interaction]:
        """The next referrals of a round, in the order of the lane."""
        return await self._due_events.list_ready(
            tx, merchant_id, round_number=round_number, after=after, limit=limit
        )

    async def list_last_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: Place | None,
        skip: int,
        limit: int,
    ) -> Sequence[Interaction]:
        """Referrals at the end of a round, the last one first, without the last `skip` ones."""
        return await self._due_events.list_last_ready(
            tx, merchant_id, round_number=round_number, after=after, skip=skip, limit=limit
        )

    async def list_some_ready(
        self, tx: Transaction, interaction_ids: Sequence[InteractionId], *, round_number: int
    ) -> Sequence[Interaction]:
        """Those of these referrals that the round has not dealt with, in the order of the lane."""
        return await self._due_events.list_some_ready(
            tx, interaction_ids, round_number=round_number
        )

    async def pass_over(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        lives: Sequence[OrderLife],
        referrals: Sequence[InteractionId],
        *,
        now: datetime,
    ) -> datetime:
        """Lets interactions wait that cannot be read; returns until when. Costs them no try."""
        until = now + UNREAD_PAUSE
        await self._due_events.pass_over(tx, merchant_id, lives, referrals, due_time=until)
        return until

    async def postpone(
        self,
        tx: Transaction,
        waits: Sequence[Wait],
        *,
        obstacle: Obstacle,
        now: datetime,
    ) -> list[datetime]:
        """Lets interactions wait for something from outside; returns until when each does.

        Costs them no try.
        """
        until = [now + wait_pause(each.wait_count) for each, _ in waits]
        if waits:
            await self._due_events.postpone(
                tx,
                [
                    (each.interaction_id, due_time, needed)
                    for (each, needed), due_time in zip(waits, until, strict=True)
                ],
                obstacle=obstacle,
            )
        return until

    async def fail(
        self, tx: Transaction, interaction: Interaction, *, obstacle: Obstacle, now: datetime
    ) -> datetime | None:
        """Charges a try; returns when the interaction is tried again. None: it is dead."""
        pause = retry_pause(interaction.try_count + 1)
        retry_time = None if pause is None else now + pause
        await self._due_events.fail(
            tx, interaction.interaction_id, retry_time=retry_time, obstacle=obstacle
        )
        return retry_time
