"""On-chain addresses and hashes as text."""

from __future__ import annotations

import re

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def normalize_address(text: str) -> str | None:
    """The address in lower case, or None if it is not one.

    All lower case is accepted; mixed case must carry a correct EIP-55 checksum, so all upper
    case is not an address.
    """
    if _ADDRESS.fullmatch(text) is None:
        return None
    if text == text.lower() or is_checksum_address(text):
        return text.lower()
    return None


def product_id_of(domain: str) -> bytes:
    """The 32 bytes by which older integrations know a merchant: Keccak-256 of its domain."""
    return keccak(text=domain)
