"""The kernel: what one campaign makes of one event. Pure, so that it can be replayed.

`decide` sees the event's facts and the budgets as they stand, and answers with what is granted
and how the budgets stand afterwards. Live work, simulation and replay call the same function.
"""

from __future__ import annotations

from domains.campaign.model.deciding.activity import begin_of, why_inactive
from domains.campaign.model.deciding.decision import Decision, Grant, Outcome
from domains.campaign.model.deciding.facts import EventFacts, PurchaseFacts
from domains.campaign.model.deciding.granting import RateMissingError
from domains.campaign.model.deciding.kernel import decide

__all__ = [
    "Decision",
    "EventFacts",
    "Grant",
    "Outcome",
    "PurchaseFacts",
    "RateMissingError",
    "begin_of",
    "decide",
    "why_inactive",
]
