"""Why a connection to the database is refused, where waiting is of no use or only of little."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import asyncpg

from infrastructure.database.causes import database_cause, said_by_driver
from infrastructure.database.failures import sqlstate

_LOGIN_REFUSED = {"28000", "28P01", "3D000"}
"""No such role or no way in for it, a wrong password, no such database."""
_NO_TLS = "rejected SSL upgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRefusal:
    """What is wrong with how the database is connected to, in one sentence with what to do.

    `may_pass`: somebody may just be making the role or the database that is missing.
    """

    sentence: str
    may_pass: bool = False


def connect_refusal(failure: BaseException, *, by_socket: bool = False) -> ConnectRefusal | None:
    """What the settings say wrong; None if it is something else, like a database that is away.

    `by_socket`: the database is a path of this host, where a file that is missing is a server that
    does not run yet.
    """
    if sqlstate(failure) in _LOGIN_REFUSED:
        cause = database_cause(failure).get("cause", sqlstate(failure))
        return ConnectRefusal(
            sentence=f"The database lets nobody in as GUERDON_DATABASE_URL says: {cause}: mend the "
            "user, the password or the database there.",
            may_pass=True,
        )
    sentence = ""
    match said_by_driver(failure):
        case asyncpg.ClientConfigurationError() as said:
            why = " ".join(str(said).split("\n")[0].split())
            sentence = (
                f"GUERDON_DATABASE_URL cannot be connected to: {why}: see `ssl` there, and "
                "PGSSLROOTCERT."
            )
        case ssl.SSLCertVerificationError() as said:
            sentence = (
                f"The database's certificate is not accepted, {tls_cause(said)}: name the host "
                "in GUERDON_DATABASE_URL as the certificate does, and its authority with "
                "PGSSLROOTCERT."
            )
        case ssl.SSLError(library=part, reason=str(reason)) as said if part != "SSL" and reason:
            # What is read of a file, before anything is sent.
            sentence = _of_file(tls_cause(said))
        case ConnectionError() as said:
            if _NO_TLS in str(said):
                sentence = (
                    "The database speaks no TLS, which `ssl` in GUERDON_DATABASE_URL asks for: "
                    "turn it on there, or leave `ssl` out."
                )
        case (
            FileNotFoundError() | PermissionError() | IsADirectoryError() | NotADirectoryError()
        ) as said:
            if not by_socket:
                sentence = _of_file((said.strerror or "it is missing").lower())
    return ConnectRefusal(sentence=sentence) if sentence else None


def tls_cause(failure: BaseException) -> str:
    """What TLS says is wrong, in its own words; empty if it is not about TLS."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return " ".join(failure.verify_message.split()).rstrip(".")
    if isinstance(failure, ssl.SSLError):
        return (failure.reason or "the handshake failed").replace("_", " ").lower()
    is_refused = isinstance(failure, ConnectionError) and _NO_TLS in str(failure)
    return "the server speaks no TLS" if is_refused else ""


def _of_file(problem: str) -> str:
    return (
        f"A file that TLS to the database needs cannot be read, {problem}: see PGSSLROOTCERT, and "
        "`ssl` in GUERDON_DATABASE_URL."
    )
