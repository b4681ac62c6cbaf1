"""The use cases of deciding: what it resulted in, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domains.rewards.model import DecisionRecord, Posting, Reward
from domains.rewards.repository import (
    DecisionRepository,
    DueEventRepository,
    LedgerRepository,
    RewardRepository,
)
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import Unit
from vocabulary.ids import InteractionId, MerchantId


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedBatch:
    """What deciding a batch of events resulted in. Written whole."""

    facts: Sequence[tuple[InteractionId, dict[str, object]]]
    decisions: Sequence[DecisionRecord]
    rewards: Sequence[Reward]
    postings: Sequence[Posting]


class DecisionsService:
    def __init__(
        self,
        *,
        due_events: DueEventRepository,
        decisions: DecisionRepository,
        rewards: RewardRepository,
        ledger: LedgerRepository,
    ) -> None:
        self._due_events = due_events
        self._decisions = decisions
        self._rewards = rewards
        self._ledger = ledger

    async def record_decided(self, tx: Transaction, batch: DecidedBatch, *, now: datetime) -> None:
        """Writes what a batch resulted in: rewards, the ledger, decisions, marks."""
        await self._rewards.add_many(tx, batch.rewards)
        await self._ledger.post(tx, batch.postings, now=now)
        await self._decisions.add_many(tx, batch.decisions)
        await self._due_events.mark_decided(tx, batch.facts, now=now)

    async def add_units(
        self, tx: Transaction, merchant_id: MerchantId, units: Sequence[Unit]
    ) -> None:
        """Makes units known at a merchant. One that is known keeps its decimals."""
        if units:
            await self._ledger.add_units(tx, merchant_id, units)
