"""What the tables of a simulation say, read once and sorted by merchant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from infrastructure.database.transaction import Database
from tests.simulation.callers import Callers
from tests.simulation.expected import People, Version
from tests.simulation.history import Claim, MerchantPlan, Report

_STATEMENTS = {
    "versions": "SELECT * FROM order_version ORDER BY number",
    "orders": "SELECT * FROM shop_order",
    "nodes": "SELECT merchant_id, kind, value, identity_group_id FROM identity_node",
    "deliveries": "SELECT merchant_id, event_reference, receive_time, state FROM delivery",
    "interactions": "SELECT * FROM interaction",
    "links": "SELECT * FROM referral_link",
    "lanes": "SELECT * FROM reward_lane",
    "reversals": "SELECT * FROM reversal",
    "campaigns": "SELECT * FROM campaign",
    "decisions": """
        SELECT decision.*, interaction.kind, interaction.order_reference, interaction.generation,
               interaction.event_reference,
               COALESCE(interaction.event_time, shop_order.order_time) AS event_time
        FROM decision JOIN interaction USING (interaction_id)
        LEFT JOIN shop_order ON shop_order.merchant_id = interaction.merchant_id
                            AND shop_order.order_reference = interaction.order_reference
        ORDER BY decision.merchant_id, decision.sequence
    """,
    "rewards": """
        SELECT reward.*, interaction.kind, interaction.order_reference, interaction.generation,
               interaction.event_reference, campaign.name AS campaign
        FROM reward JOIN interaction USING (interaction_id) JOIN campaign USING (campaign_id)
    """,
    "windows": """
        SELECT merchant_id, budget_window.*, budget_item.label, budget_item.unit,
               budget_item.limit_base_units, budget_item.campaign_id
        FROM budget_window JOIN budget_item USING (budget_item_id)
        JOIN campaign USING (campaign_id)
    """,
    "items": """
        SELECT merchant_id, budget_item.* FROM budget_item JOIN campaign USING (campaign_id)
    """,
    "campaign_moments": """
        SELECT merchant_id, campaign_moment.* FROM campaign_moment
        JOIN campaign USING (campaign_id) ORDER BY number
    """,
}
_IDS = (
    "reward_id",
    "interaction_id",
    "campaign_id",
    "purchase_id",
    "budget_item_id",
    "identity_group_id",
    "referrer_group_id",
    "referee_group_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The rows of all tables, by table, then merchant."""

    rows: Mapping[str, Mapping[UUID, Sequence[Any]]]

    def of(self, table: str, merchant_id: UUID) -> Sequence[Any]:
        return self.rows[table].get(merchant_id, [])

    def people_of(self, merchant_id: UUID, plan: MerchantPlan) -> People:
        """Who is who at a merchant of a plan."""
        nodes = self.of("nodes", merchant_id)
        firsts = {each.order for each in plan.firsts}
        return People(
            clients={each.value: each.identity_group_id for each in nodes if each.kind == "client"},
            guesses={
                each.customer_reference: each.identity_group_id
                for each in self.of("orders", merchant_id)
                if each.order_reference in firsts
            },
            received={
                each.event_reference: each.receive_time
                for each in self.of("deliveries", merchant_id)
            },
        )

    def versions_of(self, merchant_id: UUID, callers: Callers) -> dict[str, list[Version]]:
        """The versions of each order's row, with the messages that made them."""
        found: dict[str, list[Version]] = defaultdict(list)
        for row in self.of("versions", merchant_id):
            message = callers.message_at(row.writer, row.written)
            assert message is None or isinstance(message, Claim | Report), message
            found[row.order_reference].append(Version(row=row, message=message))
        return found

    def merchants_by_id(self) -> dict[UUID, UUID]:
        """To which merchant an id belongs that stands in a table."""
        found: dict[UUID, UUID] = {}
        for by_merchant in self.rows.values():
            for merchant_id, rows in by_merchant.items():
                found[merchant_id] = merchant_id
                for row in rows:
                    for column in _IDS:
                        value = getattr(row, column, None)
                        if value is not None:
                            found[value] = merchant_id
        return found


async def read_tables(database: Database) -> Tables:
    """Everything, as of now."""
    async with database.single() as tx:
        return Tables(
            rows={
                name: _by_merchant((await tx.execute(text(statement))).all())
                for name, statement in _STATEMENTS.items()
            }
        )


def _by_merchant(rows: Iterable[Any]) -> Mapping[UUID, Sequence[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.merchant_id].append(row)
    return found
