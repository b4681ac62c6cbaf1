"""All tables, by name: a process knows of those alone that it has imported."""

from __future__ import annotations

from sqlalchemy import Table

from domains.attribution.tables import touchpoint
from domains.business.tables import merchant, merchant_webhook
from domains.campaign.tables import (
    budget_entry,
    budget_item,
    budget_window,
    campaign,
    campaign_rule_version,
    exchange_rate,
)
from domains.identity.tables import identity_group, identity_node
from domains.purchases.tables import delivery, order_claim, shop_order
from domains.referral.tables import referral_link
from domains.rewards.tables import (
    account,
    decision,
    interaction,
    ledger_unit,
    reversal,
    reward,
    reward_lane,
    transfer,
)
from infrastructure.database.repeated_call import repeated_call
from infrastructure.database.sealing_key import sealing_key

EVERY_TABLE: tuple[Table, ...] = (
    account,
    budget_entry,
    budget_item,
    budget_window,
    campaign,
    campaign_rule_version,
    decision,
    delivery,
    exchange_rate,
    identity_group,
    identity_node,
    interaction,
    ledger_unit,
    merchant,
    merchant_webhook,
    order_claim,
    referral_link,
    repeated_call,
    reversal,
    reward,
    reward_lane,
    sealing_key,
    shop_order,
    touchpoint,
    transfer,
)
