"""PostgreSQL: transactions, repeated calls, bulk writes."""
