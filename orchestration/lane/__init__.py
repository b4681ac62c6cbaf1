"""What an operator asks of a merchant's lane, and does about it."""
