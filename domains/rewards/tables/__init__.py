"""Events, decisions and rewards of people; the lanes in which they are decided; the ledger."""

from __future__ import annotations

from domains.rewards.tables.events import decision, interaction
from domains.rewards.tables.lanes import reversal, reward_lane
from domains.rewards.tables.ledger import account, ledger_unit, transfer
from domains.rewards.tables.rewards import reward

__all__ = [
    "account",
    "decision",
    "interaction",
    "ledger_unit",
    "reversal",
    "reward",
    "reward_lane",
    "transfer",
]
