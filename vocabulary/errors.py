"""How the rules say no."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What a refusal means to the caller. Each kind has one gRPC code."""

    INVALID = "invalid"
    NOT_NOW = "not_now"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    EXISTS = "exists"
    CONFLICT = "conflict"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """A refusal that the caller is meant to see.

    `reason` is for programs and never changes once released. `message` is for developers and
    may. Everything the message interpolates is also in `metadata`, so nobody has to parse
    prose. `field` is the path of the request's field that is to blame, if one is, as the
    message writes it too; `problem` is what is wrong with it, where the message says more.
    `violations` are all fields that are to blame, the first one first, each with what is wrong
    with it; `has_more` says that there are others.
    """

    domain: ClassVar[str]
    reason: ClassVar[str]
    kind: ClassVar[Kind]

    def __init__(
        self, message: str, *, field: str | None = None, problem: str = "", **metadata: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.problem = problem or message
        self.has_more = False
        self.violations: Sequence[tuple[str, str]] = (
            ((field, self.problem.rstrip(".")),) if field else ()
        )
        self.metadata = {key: str(value) for key, value in metadata.items()}


def instant(time: datetime) -> str:
    """A time as messages and their metadata have it: RFC 3339, in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
