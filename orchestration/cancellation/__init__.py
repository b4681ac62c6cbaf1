"""Orders that were taken back: their rewards are cancelled, their budgets refilled."""
