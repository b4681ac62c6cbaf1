"""What holds of every order's row, whoever writes it."""

from __future__ import annotations

from domains.purchases.model import OrderState

ORDER_RULES = {
    "reported_whole": (
        "num_nulls(purchase_id, first_report_time, state, event_time, body_hash, order_time,"
        " items) IN (0, 7)"
    ),
    "claim_whole": "num_nulls(claim_group_id, claim_time, claim_digest) IN (0, 3)",
    "hint_whole": "(hint_group_id IS NULL) = (hint_key = '')",
    "guesses_name_a_customer": "guess_group_id IS NULL OR guess_time IS NOT NULL",
    "confirmed_orders_have_a_total": (
        "state <> 'confirmed' OR (total IS NOT NULL AND currency IS NOT NULL)"
    ),
    "total_not_negative": "total >= 0",
    "order_reference_present": "order_reference <> ''",
    "state_known": "state IN ({})".format(", ".join(f"'{state}'" for state in OrderState)),
    "interactions_of_known_lives": "interaction_generation <= generation",
    "decided_interactions": (
        "GREATEST(decided_generation, fixed_generation) <= interaction_generation"
    ),
    "fixed_whole": (
        "num_nulls(fixed_group_id, fixed_link, fixed_report_time)"
        " = CASE WHEN GREATEST(decided_generation, fixed_generation) > 0 THEN 0 ELSE 3 END"
    ),
    "heard_while_fixed": "heard_time IS NULL OR fixed_generation > 0",
    "due_interactions": "due_time IS NULL OR interaction_generation > 0",
    "ready_once_due": "ready_round IS NULL OR due_time IS NOT NULL",
    "rates_for_what_waits": "needed_rate IS NULL OR due_time IS NOT NULL",
}
"""Conditions in SQL, by the names of their constraints."""
