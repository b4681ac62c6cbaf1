"""Flows that cross domains. The only room that knows two domains at once."""
