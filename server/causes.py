"""Why something failed, as far as a log may hold it: names and codes, never what a caller sent."""

from __future__ import annotations

import errno
import os
import re
import socket
import traceback
from collections.abc import Iterator, Mapping

import asyncpg
import grpc
from sqlalchemy.exc import SQLAlchemyError

from domains.campaign.model.rule_document import RuleUnreadableError
from infrastructure.database.causes import database_cause
from infrastructure.database.failures import is_away
from server.connecting import connect_refusal, tls_cause
from vocabulary.errors import DomainError
from vocabulary.sealing import SealBrokenError

CAUSES_MAX = 10
"""How far a chain of exceptions is followed."""

_ERRNO = re.compile(r"\[Errno (\d{1,3})\]")


def cause_of(raised: BaseException) -> dict[str, str]:
    """The type, and what the first exception of its chain says that may be told.

    `caused_by` is the type of that one, or of the last one, with its place, where that is another
    than the first.
    """
    last = raised
    facts: Mapping[str, str] = {}
    for each in _chain(raised):
        last = each
        if facts := _facts_of(each):
            break
    fault = {"fault": type(raised).__name__}
    if last is not raised:
        fault["caused_by"] = type(last).__name__ + _place_of(last)
    return fault | dict(facts)


def fault_of(raised: BaseException) -> dict[str, str]:
    """What a log may hold of an exception: its type, its cause and its frames.

    Never its text, which may hold what a caller sent.
    """
    return cause_of(raised) | {"stack": "".join(traceback.format_tb(raised.__traceback__))}


def database_fault(raised: BaseException) -> str | None:
    """What is wrong with the database, for whoever types a command; None if it is nothing of it."""
    refusal = connect_refusal(raised)
    if refusal is not None:
        return refusal.sentence
    known = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
    if not isinstance(raised, (*known, asyncpg.InternalClientError)):
        return None
    facts = cause_of(raised)
    cause = facts.get("cause") or facts["fault"]
    if "sqlstate" in facts:
        cause += f" ({facts['sqlstate']})"
    what = "cannot be reached" if is_away(raised) else "refuses"
    return f"The database {what}: {cause}. See GUERDON_DATABASE_URL."


def _chain(raised: BaseException) -> Iterator[BaseException]:
    """The exception, and what it was raised from or while handling, outermost first."""
    current: BaseException | None = raised
    for _ in range(CAUSES_MAX):
        if current is None:
            return
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def _facts_of(raised: BaseException) -> Mapping[str, str]:
    match raised:
        case DomainError():
            return {"cause": raised.reason}
        case SealBrokenError():
            return {"cause": "it is sealed with a key that GUERDON_SECRETS_KEY does not name"}
        case RuleUnreadableError():
            problem = raised.__cause__
            why = "" if problem is None else f": {type(problem).__name__}{_place_of(problem)}"
            return {
                "cause": f"the stored rule cannot be read{why}",
                "campaign_id": str(raised.campaign_id),
                "rule_version": str(raised.version),
            }
        case OSError() if cause := _system_cause(raised):
            return {"cause": cause}
        case grpc.RpcError() if callable(code := getattr(raised, "code", None)):
            return {"cause": code().name}
        case _:
            return database_cause(raised)


def _system_cause(raised: OSError) -> str:
    """The system's names for what went wrong, or those of TLS.

    When a host has several addresses, the loop tells all their errors in one text.
    """
    if isinstance(raised, socket.gaierror):
        return "the host's name is not known"
    if cause := tls_cause(raised):
        return f"TLS: {cause}"
    numbers = [raised.errno] if raised.errno else [*map(int, _ERRNO.findall(str(raised)))]
    if not numbers and isinstance(raised, ConnectionError):
        # The loop and the driver say no more of it.
        return "the connection was cut"
    told = [
        f"{errno.errorcode[number]}: {os.strerror(number)}"
        for number in dict.fromkeys(numbers)
        if number in errno.errorcode
    ]
    return ", ".join(told)


def _place_of(raised: BaseException) -> str:
    """Where it was raised; the frames that are logged are those of another exception."""
    frames = traceback.extract_tb(raised.__traceback__)
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
