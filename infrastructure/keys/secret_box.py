"""Secrets that must be read again are stored encrypted."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretBox:
    """Encrypts with the first key and decrypts with any, so that keys can be rotated.

    Keys are Fernet keys: 32 bytes, Base64 with the URL alphabet.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

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


class SealBrokenError(Exception):
    """A stored secret cannot be read with the keys of the settings."""
