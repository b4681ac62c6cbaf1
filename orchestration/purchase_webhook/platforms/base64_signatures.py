"""Signatures as they are written, and what one that is written wrong looks like."""

from __future__ import annotations

import base64
import binascii
import re

_DIGEST_BYTES = 32
_HEX = re.compile(r"([0-9a-fA-F]{2}){16,64}")
_URL_SAFE = re.compile(r"[A-Za-z0-9_+/-]{43}=?")
_PREFIXED = re.compile(r"(sha256|v1|hmac-sha256)[=,:]\s*(.+)", re.IGNORECASE | re.DOTALL)


def digest_of(signature: str) -> bytes | None:
    """The digest that a signature is the Base64 of; None if it is written wrong."""
    given = _decoded(signature)
    return given if given is not None and len(given) == _DIGEST_BYTES else None


def fault_of_form(signature: str) -> bytes | str:
    """The digest that a signature is the Base64 of; else what is wrong with how it is written."""
    given = _decoded(signature)
    if given is None or len(given) != _DIGEST_BYTES:
        return _looks_like(signature, given)
    return given


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
