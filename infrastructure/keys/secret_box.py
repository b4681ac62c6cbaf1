"""Secrets that must be read again are stored encrypted."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from vocabulary.sealing import SealBrokenError


class SecretBox:
    """Encrypts with the first key and decrypts with any, so that keys can be rotated.

    Keys are Fernet keys: 32 bytes, Base64 with the URL alphabet.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._sealing = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._fingerprints = tuple(_fingerprint(key) for key in keys)

    @property
    def fingerprint(self) -> bytes:
        """Of the key that secrets are sealed with: 32 bytes that do not tell the key."""
        return self._fingerprints[0]

    @property
    def fingerprints(self) -> tuple[bytes, ...]:
        """Of every key that sealed secrets can be read with, the one that seals first."""
        return self._fingerprints

    def seal(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """The secret.

        Raises:
            SealBrokenError: it was sealed with a key that the settings no longer name.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as failure:
            raise SealBrokenError from failure

    def open_if_possible(self, sealed: bytes) -> str | None:
        """The secret; None if it was sealed with a key that the settings no longer name."""
        try:
            return self.open(sealed)
        except SealBrokenError:
            return None

    def is_current(self, sealed: bytes) -> bool:
        """Whether a secret is sealed with the first key."""
        try:
            self._sealing.decrypt(sealed)
        except InvalidToken:
            return False
        return True


def _fingerprint(key: str) -> bytes:
    # Keys are 32 random bytes, so nobody finds one by trying.
    return hashlib.sha256(b"sealing key\0" + base64.urlsafe_b64decode(key)).digest()
