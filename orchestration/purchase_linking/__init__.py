"""A buyer's browser says which order was its own."""
