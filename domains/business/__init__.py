"""Merchants: their settings, and how their shops prove themselves.

Promises that no two merchants share a domain and that a shop's signing key is stored only
encrypted. Does not know what a merchant's customers do, and does not read the keys.
"""
