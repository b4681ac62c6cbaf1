"""Ids, each a type of its own, so that one is never handed over for another."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

MerchantId = NewType("MerchantId", UUID)
IdentityGroupId = NewType("IdentityGroupId", UUID)
IdentityNodeId = NewType("IdentityNodeId", UUID)
TouchpointId = NewType("TouchpointId", UUID)
ReferralLinkId = NewType("ReferralLinkId", UUID)
PurchaseId = NewType("PurchaseId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
ReversalId = NewType("ReversalId", UUID)
CampaignId = NewType("CampaignId", UUID)
ExchangeRateId = NewType("ExchangeRateId", UUID)
BudgetItemId = NewType("BudgetItemId", UUID)
InteractionId = NewType("InteractionId", UUID)
RewardId = NewType("RewardId", UUID)
TransferId = NewType("TransferId", UUID)
AccountId = NewType("AccountId", UUID)
