"""The outside world, one room for each party we talk to."""
