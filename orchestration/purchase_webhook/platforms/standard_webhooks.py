"""Signatures by Standard Webhooks: over an id, the time of sending, and the body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestration.purchase_webhook.platforms.base64_signatures import digest_of, fault_of_form
from orchestration.purchase_webhook.platforms.proofs import Message, SignatureFaultyError
from vocabulary.signing_keys import NoStandardKeyError, standard_secret

ID_HEADER = "webhook-id"
TIME_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
HEADERS = (SIGNATURE_HEADER, ID_HEADER, TIME_HEADER)

TOLERANCE = timedelta(minutes=5)
"""How far the time of sending may be from ours, before or after: so long a message is replayed."""

# Full stops join what is signed: with one in the id, one message could be read as another.
_ID = re.compile(r"[!-\-/-~]{1,255}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_VERSION = "v1"
SIGNATURES_MAX = 10
_WANTED = "it must be v1, and the Base64 of HMAC-SHA256 over id, timestamp and body"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardSignature:
    """Signatures over `id.timestamp.body`, as many as the sender has keys, one of which must do."""

    event_id: str
    timestamp: str
    signatures: Sequence[str]
    body: bytes

    @classmethod
    def of(cls, message: Message, *, now: datetime) -> StandardSignature:
        """The signature of a message.

        Raises:
            SignatureFaultyError: a header is missing, is there twice, or cannot be right now.
        """
        listed = message.need_one(SIGNATURE_HEADER)
        event_id = message.need_one(ID_HEADER)
        if not _ID.fullmatch(event_id):
            raise SignatureFaultyError(
                ID_HEADER, "must be 1 to 255 printable ASCII characters without space or full stop"
            )
        timestamp = message.need_one(TIME_HEADER)
        _check_time(timestamp, now)
        # Whoever sends chooses how many are compared, before any proof.
        each_written = listed.split(" ", SIGNATURES_MAX)
        if len(each_written) > SIGNATURES_MAX:
            raise SignatureFaultyError(
                SIGNATURE_HEADER, f"has more than {SIGNATURES_MAX} signatures"
            )
        signatures = [
            signature
            for version, _, signature in (each.partition(",") for each in each_written)
            if version == _VERSION
        ]
        if not signatures:
            raise SignatureFaultyError(
                SIGNATURE_HEADER, f"has no signature of version {_VERSION}; {_WANTED}"
            )
        return cls(event_id=event_id, timestamp=timestamp, signatures=signatures, body=message.body)

    @property
    def header(self) -> str:
        return SIGNATURE_HEADER

    @property
    def signed_digest(self) -> bytes:
        """Without the time, which is another one each time that the message is sent."""
        return hashlib.sha256(f"{self.event_id}.".encode() + self.body).digest()

    @property
    def kept_headers(self) -> Mapping[str, str]:
        return {ID_HEADER: self.event_id, TIME_HEADER: self.timestamp}

    def fault(self, key: str) -> str | None:
        """What is wrong with it, behind the header's name. Compared in constant time."""
        try:
            secret = standard_secret(key)
        except NoStandardKeyError as fault:
            return (
                f"cannot be verified: the webhook's key {fault}; set one that is whsec_ and Base64,"
                " or sign with x-hmac-sha256"
            )
        signed = f"{self.event_id}.{self.timestamp}.".encode() + self.body
        wanted = hmac.digest(secret, signed, hashlib.sha256)
        digests = [digest_of(each) for each in self.signatures]
        if any(hmac.compare_digest(digest, wanted) for digest in digests if digest is not None):
            return None
        if None in digests:
            form = fault_of_form(self.signatures[digests.index(None)])
            assert isinstance(form, str), "it is the Base64 of no digest"
            return f"{form}, behind {_VERSION}; {_WANTED}"
        return (
            "is well-formed, but not that of these bytes with the webhook's key: sign id, "
            "timestamp and body, joined by full stops, byte for byte as they are sent, with the "
            "bytes that the Base64 behind whsec_ stands for"
        )


def _check_time(timestamp: str, now: datetime) -> None:
    if not _SECONDS.fullmatch(timestamp):
        raise SignatureFaultyError(
            TIME_HEADER, "must be whole seconds since 1970, at which the message is sent"
        )
    sent = datetime.fromtimestamp(int(timestamp), UTC)
    if abs(sent - now) > TOLERANCE:
        where = "before" if sent < now else "after"
        raise SignatureFaultyError(
            TIME_HEADER,
            f"is {timestamp}, more than 5 minutes {where} the server's time, which is "
            f"{int(now.timestamp())}, {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}: sign each try anew",
        )
