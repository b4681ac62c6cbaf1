"""Orders as shops report them, who claimed them, and the deliveries that reported them.

Promises that the newest event of an order wins in whatever order deliveries come, and that an
order is linked to one buyer. Does not know what an order earns.
"""
