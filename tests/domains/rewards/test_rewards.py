"""Rewards on PostgreSQL: what a refund takes back."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from domains.rewards.model import OrderLife, Reversal, Reward, RewardState, Role
from domains.rewards.repository import LedgerRepository, RewardRepository
from infrastructure.database.transaction import Database, Transaction
from tests.support.events import add_purchase
from vocabulary.amounts import POINTS
from vocabulary.ids import (
    CampaignId,
    IdentityGroupId,
    InteractionId,
    MerchantId,
    PurchaseId,
    ReversalId,
    RewardId,
)

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
SHOP = MerchantId(uuid4())

rewards = RewardRepository()


def a_reward(interaction_id: InteractionId, *, base_units: int = 5) -> Reward:
    return Reward(
        reward_id=RewardId(uuid4()),
        merchant_id=SHOP,
        interaction_id=interaction_id,
        campaign_id=CampaignId(uuid4()),
        definition_index=0,
        depth=None,
        identity_group_id=IdentityGroupId(uuid4()),
        role=Role.USER,
        purchase_id=PurchaseId(uuid4()),
        unit=POINTS,
        granted=base_units,
        target=base_units,
        state=RewardState.PENDING,
        cancellation_reason=None,
        description="",
        event_time=NOW,
        create_time=NOW,
    )


def a_reversal(order: str, generation: int) -> Reversal:
    return Reversal(
        reversal_id=ReversalId(uuid4()),
        life=OrderLife(order_reference=order, generation=generation),
        try_count=0,
        create_time=datetime(2025, 3, 1, tzinfo=UTC),
    )


async def added(tx: Transaction, order: str, generation: int) -> Reward:
    """A reward of one life of an order."""
    await LedgerRepository().add_units(tx, SHOP, [POINTS])
    reward = a_reward(await add_purchase(tx, SHOP, order, generation=generation))
    await rewards.add_many(tx, [reward])
    return reward


async def test_a_refund_takes_back_what_one_life_of_one_order_earned_and_once(
    database: Database,
) -> None:
    """An order that was paid again would lose its reward, or one reward be taken back twice."""
    async with database.transaction() as tx:
        first = await added(tx, "A-1", 1)
        others = [await added(tx, "A-1", 2), await added(tx, "A-2", 1)]
        reversal = a_reversal("A-1", 1)

        taken = await rewards.cancel_for(tx, SHOP, [reversal])
        again = await rewards.cancel_for(tx, SHOP, [reversal])

        assert [(each.reward_id, each.lost) for each in taken] == [(first.reward_id, 5)]
        assert [each.reversal_id for each in taken] == [reversal.reversal_id]
        assert again == []
        found = await rewards.find(tx, first.reward_id)
        assert found is not None
        assert (found.state, found.target, found.granted) == (RewardState.CANCELLED, 0, 5)
        for other in others:
            assert await rewards.find(tx, other.reward_id) == other


async def test_several_refunds_are_told_apart(database: Database) -> None:
    """The books would say that one refund took back what another one did."""
    async with database.transaction() as tx:
        made = {order: await added(tx, order, 1) for order in ("A-1", "A-2")}
        reversals = {order: a_reversal(order, 1) for order in ("A-2", "A-1")}

        taken = await rewards.cancel_for(tx, SHOP, list(reversals.values()))

        assert {each.reward_id: each.reversal_id for each in taken} == {
            made[order].reward_id: reversals[order].reversal_id for order in made
        }
