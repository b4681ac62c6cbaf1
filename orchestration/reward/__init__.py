"""Events become rewards: one writer a merchant, in the order of the events."""
