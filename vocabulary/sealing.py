"""Secrets that are stored sealed."""

from __future__ import annotations


class SealBrokenError(Exception):
    """A stored secret cannot be read with the keys of the settings."""
