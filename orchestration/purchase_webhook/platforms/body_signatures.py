"""The older signature: over the body alone, in a header of its own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.purchase_webhook.platforms.base64_signatures import fault_of_form
from orchestration.purchase_webhook.platforms.proofs import Message

SIGNATURE_HEADER = "x-hmac-sha256"
ID_HEADER = "x-webhook-id"
_WANTED = "it must be the Base64 of HMAC-SHA256 over the body"


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySignature:
    """A Base64 of HMAC-SHA256 over the body. The key is the UTF-8 bytes of the shop's text.

    What the sender calls the message is not signed, so it tells nothing apart.
    """

    signature: str
    body: bytes
    event_id: str

    @classmethod
    def of(cls, message: Message) -> BodySignature:
        """The signature of a message.

        Raises:
            SignatureFaultyError: it is missing, or there are several.
        """
        return cls(
            signature=message.need_one(SIGNATURE_HEADER),
            body=message.body,
            event_id=message.first(ID_HEADER),
        )

    @property
    def header(self) -> str:
        return SIGNATURE_HEADER

    @property
    def signed_digest(self) -> bytes:
        return hashlib.sha256(self.body).digest()

    @property
    def kept_headers(self) -> Mapping[str, str]:
        return {ID_HEADER: self.event_id} if self.event_id else {}

    def fault(self, key: str) -> str | None:
        """What is wrong with it, behind the header's name. Compared in constant time."""
        return fault_of_base64_signature(self.signature, key=key, body=self.body)


def fault_of_base64_signature(signature: str, *, key: str, body: bytes) -> str | None:
    """What is wrong with a Base64 of HMAC-SHA256 over the body; None: it is right."""
    given = fault_of_form(signature)
    if isinstance(given, str):
        return f"{given}; {_WANTED}"
    if hmac.compare_digest(given, hmac.digest(key.encode(), body, hashlib.sha256)):
        return None
    return (
        "is well-formed, but not that of these bytes with the webhook's key: sign the body byte "
        "for byte as it is sent, with the key's text as it was set"
    )
