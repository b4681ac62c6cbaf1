"""What a shop's tables say, for tests of flows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import BudgetWindow
from domains.rewards.model import InteractionState, RewardState
from infrastructure.database.metadata import metadata
from infrastructure.database.transaction import Database
from orchestration.queries.ledger_check import INVARIANTS
from orchestration.reward_reading.flow import ExplainedInteraction
from tests.support.shop import Shop
from vocabulary.ids import InteractionId

_REWARDS = """
    SELECT interaction.event_reference, campaign.name, reward.definition_index, reward.depth,
           reward.identity_group_id, reward.target_base_units, reward.state
    FROM reward JOIN interaction USING (interaction_id) JOIN campaign USING (campaign_id)
    WHERE reward.merchant_id = :merchant_id
    ORDER BY 1, 2, 3, 4 NULLS FIRST
"""
_EVENTS = """
    SELECT interaction_id, event_reference, interaction.state, try_count, wait_count, obstacle,
           interaction.needed_rate, interaction.due_time, decide_time,
           COALESCE(interaction.identity_group_id, shop_order.identity_group_id)
               AS identity_group_id,
           COALESCE(interaction.event_time, shop_order.order_time) AS event_time
    FROM interaction LEFT JOIN shop_order USING (merchant_id, order_reference)
    WHERE interaction.merchant_id = :merchant_id
    ORDER BY event_time, event_reference
"""
_ORDER = """
    SELECT * FROM shop_order WHERE merchant_id = :merchant_id AND order_reference = :order
"""
_DELIVERIES = """
    SELECT delivery_id, event_reference, state, failure, try_count, failure_count, retry_time,
           body, passed_over, notes
    FROM delivery
    WHERE merchant_id = :merchant_id ORDER BY event_reference, delivery_id
"""
# What `guerdon ledger check` asks, and what only a test can afford to ask.
_NEVER = {invariant.name: invariant.violations for invariant in INVARIANTS} | {
    "an order has one event at most that earns": """
        SELECT order_reference FROM interaction
        WHERE kind = 'purchase' AND (state = 'pending' OR EXISTS (
            SELECT FROM reward WHERE reward.interaction_id = interaction.interaction_id
                                 AND reward.state = 'pending'))
          AND NOT EXISTS (
            SELECT FROM reversal WHERE reversal.merchant_id = interaction.merchant_id
              AND reversal.order_reference = interaction.order_reference
              AND reversal.generation = interaction.generation AND drain_time IS NULL)
        GROUP BY merchant_id, order_reference HAVING count(*) > 1
    """,
    "only decided events have rewards and decisions": """
        SELECT interaction_id FROM interaction
        WHERE state <> 'decided' AND interaction_id IN (
            SELECT interaction_id FROM reward UNION ALL SELECT interaction_id FROM decision)
    """,
    "every place among a merchant's decisions and reversals is taken once": """
        SELECT merchant_id, sequence FROM (
            SELECT merchant_id, sequence FROM decision
            UNION ALL SELECT merchant_id, sequence FROM reversal WHERE drain_time IS NOT NULL
        ) AS numbered GROUP BY merchant_id, sequence HAVING count(*) > 1
    """,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """A reward as its owner sees it. `base_units` is what is left of it."""

    event: str
    campaign: str
    definition: int
    depth: int | None
    person: UUID
    base_units: int
    state: RewardState

    @property
    def anonymous(self) -> tuple[str, str, int, int | None, int]:
        """What is the same for the same events at another merchant."""
        return self.event, self.campaign, self.definition, self.depth, self.base_units


async def read(database: Database, statement: str, **parameters: Any) -> Sequence[Any]:
    """The rows of a statement."""
    async with database.single() as tx:
        return (await tx.execute(text(statement), parameters)).all()


async def rewards_of(shop: Shop) -> list[Earned]:
    """A shop's rewards by event, campaign, definition and depth; the cancelled ones too."""
    return [
        Earned(
            event=row.event_reference,
            campaign=row.name,
            definition=row.definition_index,
            depth=row.depth,
            person=row.identity_group_id,
            base_units=int(row.target_base_units),
            state=RewardState(row.state),
        )
        for row in await read(shop.database, _REWARDS, merchant_id=shop.merchant_id)
    ]


async def amounts_of(shop: Shop) -> list[tuple[str, int]]:
    """What is left of each reward, by event."""
    return [(each.event, each.base_units) for each in await rewards_of(shop)]


async def events_of(shop: Shop) -> Sequence[Any]:
    """A shop's events, in the order in which they are decided."""
    return await read(shop.database, _EVENTS, merchant_id=shop.merchant_id)


async def states_of(shop: Shop) -> dict[str, InteractionState]:
    """Where each event stands."""
    return {each.event_reference: InteractionState(each.state) for each in await events_of(shop)}


async def order_of(shop: Shop, order: str) -> Any:
    """An order's row."""
    (row,) = await read(shop.database, _ORDER, merchant_id=shop.merchant_id, order=order)
    return row


async def deliveries_of(shop: Shop) -> Sequence[Any]:
    """A shop's inbox, by what tells deliveries apart."""
    return await read(shop.database, _DELIVERIES, merchant_id=shop.merchant_id)


async def explain(shop: Shop, event: str) -> ExplainedInteraction:
    """What campaigns made of an event."""
    (found,) = [each for each in await events_of(shop) if each.event_reference == event]
    return await shop.flows.reward_reading.explain(
        shop.merchant_id, InteractionId(found.interaction_id)
    )


async def windows_of(shop: Shop, campaign: str) -> Sequence[BudgetWindow]:
    """A campaign's windows that were asked for something, oldest first."""
    async with shop.database.single() as tx:
        return await shop.flows.campaigns.list_windows(
            tx, shop.merchant_id, shop.campaign_ids[campaign], after=None, limit=1_000
        )


async def used_of(shop: Shop, campaign: str) -> list[int]:
    """What is used of each of a campaign's windows, oldest first."""
    return [window.used for window in await windows_of(shop, campaign)]


async def count_of(shop: Shop, table: str) -> int:
    """How many rows of a table are the shop's."""
    (row,) = await read(
        shop.database,
        f"SELECT count(*) FROM {table} WHERE merchant_id = :merchant_id",
        merchant_id=shop.merchant_id,
    )
    number: int = row.count
    return number


async def broken_invariants(database: Database) -> dict[str, Sequence[Any]]:
    """What breaks the invariants of the ledger, of budgets and of events, by their names."""
    found = {name: await read(database, violations) for name, violations in _NEVER.items()}
    return {name: rows for name, rows in found.items() if rows}


async def assert_books_balance(database: Database) -> None:
    """Holds every invariant of the ledger, of budgets and of events against the tables."""
    for invariant, found in (await broken_invariants(database)).items():
        pytest.fail(f"not so: {invariant}: {found}")


async def everything(engine: AsyncEngine) -> dict[str, str]:
    """A digest of each table."""
    digests = {}
    async with engine.connect() as connection:
        for table in metadata.sorted_tables:
            rows = await connection.execute(text(f'SELECT each::text FROM "{table.name}" AS each'))
            digest = hashlib.sha256("\n".join(sorted(rows.scalars())).encode())
            digests[table.name] = digest.hexdigest()
    return digests
