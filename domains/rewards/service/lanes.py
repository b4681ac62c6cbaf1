"""The use cases of lanes: what is due, in which order, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domains.rewards.errors import InteractionNotDeadError, InteractionNotFoundError
from domains.rewards.model import (
    Interaction,
    LaneWork,
    Obstacle,
    OrderLife,
    Place,
    Reversal,
)
from domains.rewards.model.event import retry_pause, wait_pause
from domains.rewards.model.lane import set_back_pause
from domains.rewards.repository import (
    DueEventRepository,
    EventRepository,
    LaneRepository,
    ReversalRepository,
)
from infrastructure.database.transaction import Transaction
from vocabulary.ids import InteractionId, MerchantId, ReversalId

UNREAD_PAUSE = timedelta(minutes=10)
"""How long an interaction waits that cannot be read: it is in words that this version lacks."""

Wait = tuple[Interaction, str | None]
"""An interaction, and the rate that it waits for if it waits for one, as in `USD/EUR`."""


class LanesService:
    def __init__(
        self,
        *,
        lanes: LaneRepository,
        events: EventRepository,
        due_events: DueEventRepository,
        reversals: ReversalRepository,
    ) -> None:
        self._lanes = lanes
        self._events = events
        self._due_events = due_events
        self._reversals = reversals

    async def ensure(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Makes the merchant's lane if there is none. A transaction of its own."""
        await self._lanes.ensure(tx, merchant_id)

    async def take(self, tx: Transaction, merchant_id: MerchantId) -> LaneWork | None:
        """Makes this transaction the lane's writer and returns where the lane stands.

        None if another transaction is the writer, or the lane is held. Does not wait.
        """
        return await self._lanes.take(tx, merchant_id)

    async def wait_for(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Makes this transaction the lane's writer, held or not, once nobody else is."""
        await self._lanes.wait_for(tx, merchant_id)

    async def save(self, tx: Transaction, lane: LaneWork) -> None:
        """Writes where a lane stands that this transaction has taken."""
        await self._lanes.save(tx, lane)

    async def advance(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        """Counts on after something was decided; the lane is no longer set back."""
        await self._lanes.advance(tx, merchant_id, next_sequence)

    async def count_on(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        """Counts on after something was taken back; a lane that is set back stays so.

        Else refunds would have it try again and again what is too much for one turn.
        """
        await self._lanes.count_on(tx, merchant_id, next_sequence)

    async def set_back(
        self, tx: Transaction, lane: LaneWork, *, obstacle: Obstacle, size: int, now: datetime
    ) -> None:
        """Lets a lane rest, each time longer, because a turn of a size failed as a whole.

        Costs no interaction a try.
        """
        await self._lanes.set_back(
            tx,
            lane.merchant_id,
            retry_time=now + set_back_pause(lane.failure_count),
            obstacle=obstacle,
            size=size,
        )

    async def set_held(self, tx: Transaction, merchant_id: MerchantId, *, held: bool) -> None:
        """Stops deciding, or lets it go on. Waits for the lane's writer to finish."""
        await self._lanes.set_held(tx, merchant_id, held=held)

    async def wake_workers(self, tx: Transaction) -> None:
        """Tells the workers to look now instead of within a second. May be lost."""
        await self._lanes.wake_workers(tx)

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

    async def list_of_orders(
        self, tx: Transaction, merchant_id: MerchantId, order_references: Sequence[str]
    ) -> dict[OrderLife, Interaction]:
        """The interactions of these orders, by the life of the order that each is about."""
        if not order_references:
            return {}
        found = await self._events.list_of_orders(tx, merchant_id, order_references)
        return {
            OrderLife(order_reference=each.order_reference, generation=each.generation): each
            for each in found
            if each.order_reference is not None and each.generation is not None
        }

    async def list_decided(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[OrderLife]
    ) -> set[OrderLife]:
        """Those of these lives that are decided."""
        return await self._events.list_decided(tx, merchant_id, lives) if lives else set()

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

    async def list_open_reversals(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: Reversal | None,
        now: datetime,
        limit: int,
    ) -> Sequence[Reversal]:
        """Up to `limit` reversals that nobody has dealt with, oldest first, after one of them."""
        return await self._reversals.list_open(tx, merchant_id, after=after, now=now, limit=limit)

    async def list_reversals(
        self, tx: Transaction, reversal_ids: Sequence[ReversalId]
    ) -> Sequence[Reversal]:
        """Those of these reversals that nobody has dealt with, oldest first."""
        return await self._reversals.list_some(tx, reversal_ids)

    async def list_with_earlier_open(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[OrderLife]
    ) -> set[OrderLife]:
        """Those of these lives whose order had an earlier one that is yet to be taken back."""
        if not lives:
            return set()
        return await self._reversals.list_with_earlier_open(tx, merchant_id, lives)

    async def set_reversal_aside(
        self, tx: Transaction, reversal: Reversal, *, now: datetime
    ) -> None:
        """Lets a reversal wait that failed alone, each time longer. It never dies."""
        await self._reversals.set_aside(
            tx, reversal.reversal_id, retry_time=now + wait_pause(reversal.try_count)
        )

    async def list_dead(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        interaction_id: InteractionId | None,
        *,
        limit: int,
    ) -> Sequence[Interaction]:
        """Dead interactions, the oldest first; the one that is named, if one is.

        Raises:
            InteractionNotFoundError: the merchant has none with this id.
            InteractionNotDeadError: it is not dead.
        """
        found = await self._events.list_dead(tx, merchant_id, interaction_id, limit=limit)
        if not found and interaction_id is not None:
            interaction = await self._events.find(tx, merchant_id, interaction_id)
            if interaction is None:
                raise InteractionNotFoundError(interaction_id)
            raise InteractionNotDeadError(interaction_id, interaction.state)
        return found

    async def revive(
        self, tx: Transaction, interactions: Sequence[Interaction], *, now: datetime
    ) -> int:
        """Has dead interactions decided again, as often as new ones. Their obstacle is kept."""
        return await self._events.revive(
            tx, [each.interaction_id for each in interactions], now=now
        )
