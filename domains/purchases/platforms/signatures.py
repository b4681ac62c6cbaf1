"""Signatures of deliveries, and what one that is wrong looks like."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

_DIGEST_BYTES = 32
_HEX = re.compile(r"([0-9a-fA-F]{2}){16,64}")
_URL_SAFE = re.compile(r"[A-Za-z0-9_+/-]{43}=?")
_PREFIXED = re.compile(r"(sha256|v1|hmac-sha256)[=,:]\s*(.+)", re.IGNORECASE | re.DOTALL)
_WANTED = "it must be the Base64 of HMAC-SHA256 over the body"


def fault_of_base64_signature(signature: str, *, key: str, body: bytes) -> str | None:
    """What is wrong with a Base64 of HMAC-SHA256 over the body; None: it is right.

    The key is the UTF-8 bytes of the shop's text. Compared in constant time.
    """
    given = _decoded(signature)
    if given is None or len(given) != _DIGEST_BYTES:
        return f"{_looks_like(signature, given)}; {_WANTED}"
    wanted = hmac.digest(key.encode(), body, hashlib.sha256)
    if hmac.compare_digest(given, wanted):
        return None
    return (
        "is well-formed, but not that of these bytes with the webhook's key: sign the body byte "
        "for byte as it is sent, with the key's text as it was set"
    )


def _decoded(signature: str) -> bytes | None:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None


def _looks_like(signature: str, decoded: bytes | None) -> str:
    """Of several words the first that is so."""
    prefixed = _PREFIXED.fullmatch(signature.strip())
    looks = {
        "is missing": not signature.strip(),
        f"begins with {prefixed[1] if prefixed else ''}, which does not belong there": prefixed,
        f"is {len(signature) // 2} bytes in hexadecimal digits": _HEX.fullmatch(signature),
        "has white space around it": signature != signature.strip(),
        f"is the Base64 of {len(decoded or b'')} hexadecimal digits, not of the bytes that they "
        "stand for": _HEX.fullmatch((decoded or b"").decode("latin-1")),
        f"is the Base64 of {len(decoded or b'')} bytes, not of {_DIGEST_BYTES}": decoded,
        "is in the URL-safe alphabet, or without its padding": _URL_SAFE.fullmatch(signature),
    }
    return next((words for words, is_so in looks.items() if is_so), "is no Base64")
