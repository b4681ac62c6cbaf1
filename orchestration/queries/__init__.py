"""Reads that join several domains' tables. Never writes."""
