"""The rules that say who earns what, and the budgets behind them.

`model` holds the pure kernel that decides; the tables hold rules and what was charged.
Promises that no window of a budget gives more than its limit. Writes no rewards.
"""
