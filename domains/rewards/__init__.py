"""What people earned: events, decisions, rewards, and the ledger that holds every amount.

Promises that the ledger's sums are zero and that an event is decided once. Does not know why
a campaign paid.
"""
