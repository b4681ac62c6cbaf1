"""How a message says that it is a shop's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What came to a shop's address: the body's bytes, and each header as often as it was sent.

    Headers are known by their names in lower case.
    """

    body: bytes
    headers: Mapping[str, Sequence[str]]

    def carries(self, header: str) -> bool:
        return header in self.headers

    def first(self, header: str) -> str:
        """What a header says that decides nothing; empty: it is not there."""
        return next(iter(self.headers.get(header, ())), "")

    def need_one(self, header: str) -> str:
        """What a header says that must be there once.

        Raises:
            SignatureFaultyError: it is not there, or there are several.
        """
        values = self.headers.get(header, ())
        if not any(value.strip() for value in values):
            raise SignatureFaultyError(header, "is missing")
        if len(values) > 1:
            raise SignatureFaultyError(header, f"was sent {len(values)} times; send it once")
        return values[0]


class Proof(Protocol):
    """A signature as it came, not verified yet.

    `header` is where it stands, `signed_digest` the SHA-256 of what it is over that stays the same
    when the message is sent again, `event_id` what the sender calls the message, and
    `kept_headers` those that are kept with it.
    """

    @property
    def header(self) -> str: ...

    @property
    def signed_digest(self) -> bytes: ...

    @property
    def event_id(self) -> str: ...

    @property
    def kept_headers(self) -> Mapping[str, str]: ...

    def fault(self, key: str) -> str | None:
        """What is wrong with it, behind the header's name; None: it is right by this key."""


class SignatureFaultyError(Exception):
    """A signature that cannot be right, whatever the key. `fault` goes on after the header."""

    def __init__(self, header: str, fault: str) -> None:
        super().__init__(f"{header} {fault}")
        self.header = header
        self.fault = fault
