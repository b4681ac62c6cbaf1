"""Keys of signatures by Standard Webhooks: text that stands for bytes."""

from __future__ import annotations

import base64
import binascii

STANDARD_PREFIX = "whsec_"
KEY_BYTES_MIN = 24
KEY_BYTES_MAX = 64


class NoStandardKeyError(ValueError):
    """A key is not of the standard form. The message goes on after `it`."""


def is_standard(key: str) -> bool:
    """Whether a key says of itself that it is of the standard form."""
    return key.startswith(STANDARD_PREFIX)


def standard_key(secret: bytes) -> str:
    """The text that stands for these bytes."""
    return STANDARD_PREFIX + base64.b64encode(secret).decode()


def standard_secret(key: str) -> bytes:
    """The bytes that a key stands for.

    Raises:
        NoStandardKeyError: it is not `whsec_` and the Base64 of 24 to 64 bytes.
    """
    if not is_standard(key):
        message = f"does not begin with {STANDARD_PREFIX}"
        raise NoStandardKeyError(message)
    encoded = key.removeprefix(STANDARD_PREFIX)
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as failure:
        message = f"is no Base64 behind {STANDARD_PREFIX}, or lacks its padding"
        raise NoStandardKeyError(message) from failure
    if not KEY_BYTES_MIN <= len(secret) <= KEY_BYTES_MAX:
        message = f"is the Base64 of {len(secret)} bytes"
        raise NoStandardKeyError(message)
    return secret
