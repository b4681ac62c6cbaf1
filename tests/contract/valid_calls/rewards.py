"""Rewards and interactions."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from guerdon.rewards.v1 import rewards_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about
from tests.support.rpc_shop import BusyShop


async def _get_reward(busy: BusyShop) -> Message:
    [reward, *_] = await busy.shop.rewards()
    return rewards_pb2.GetRewardRequest(reward_id=reward.reward_id)


async def _explain(busy: BusyShop) -> Message:
    [reward, *_] = await busy.shop.rewards()
    return rewards_pb2.ExplainInteractionRequest(
        merchant_id=busy.shop.merchant_id, interaction_id=reward.interaction_id
    )


REQUESTS: Mapping[str, Make] = {
    "guerdon.rewards.v1.RewardsService.GetReward": _get_reward,
    "guerdon.rewards.v1.RewardsService.ListBalances": about(
        rewards_pb2.ListBalancesRequest, identity_group_id="identity_group_id"
    ),
    "guerdon.rewards.v1.RewardsService.ListRewards": about(
        rewards_pb2.ListRewardsRequest, **MERCHANT
    ),
    "guerdon.rewards.v1.RewardsService.ListInteractions": about(
        rewards_pb2.ListInteractionsRequest, **MERCHANT
    ),
    "guerdon.rewards.v1.RewardsService.ExplainInteraction": _explain,
}
