"""The use cases of interactions: those of orders, and dead ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domains.rewards.errors import InteractionNotDeadError, InteractionNotFoundError
from domains.rewards.model import Interaction, OrderLife
from domains.rewards.repository import EventRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import InteractionId, MerchantId


class InteractionsService:
    def __init__(
        self,
        *,
        events: EventRepository,
    ) -> None:
        self._events = events

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
