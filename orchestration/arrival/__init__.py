"""Somebody comes to a shop: who they are, through which door, and who brought them."""
