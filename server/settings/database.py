"""Where the database is, and as whom it is used."""

from __future__ import annotations

from typing import Annotated

from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from server.settings.group import SettingsGroup, written
from server.settings.texts import whole_number

_PARAMETERS = {"ssl", "host", "port", "passfile", "service", "servicefile"}
"""What may stand behind the `?` of a database's address."""
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def _read_url(text: str) -> str:
    if not text.startswith("postgresql+asyncpg://"):
        message = "must begin with postgresql+asyncpg://"
        raise ValueError(message)
    try:
        url = make_url(text)
    except (ValueError, ArgumentError):
        # Without the parser's words: they quote a part of the password.
        message = (
            "cannot be read: in user and password, @ : / and % are written %40 %3A %2F and %25, "
            "and the port is a number"
        )
        raise ValueError(message) from None
    if not url.host and "host" not in url.query:
        message = "names no host"
        raise ValueError(message)
    unknown = url.query.keys() - _PARAMETERS
    if unknown:
        message = f"has the parameter {min(unknown)}; for TLS it is ssl, as in ?ssl=verify-full"
        raise ValueError(message)
    mode = url.query.get("ssl", "prefer")
    if mode not in _TLS_MODES:
        message = f"has an ssl that is not known; it is one of {', '.join(_TLS_MODES)}"
        raise ValueError(message)
    return text


class DatabaseSettings(SettingsGroup):
    """Where the database is."""

    database_url: Annotated[SecretStr, written(_read_url)]


class PoolSettings(DatabaseSettings):
    """How a process that stays uses it."""

    database_pool_size: Annotated[int, written(whole_number(1, 100))] = 8


class MigrationSettings(DatabaseSettings):
    """What migrating needs: `database_role` is whom processes will work as, if anybody else."""

    database_role: str = ""


class NamedDatabaseSettings(SettingsGroup):
    """The database that a command is to ask, if one is named. An empty name is none."""

    database_url: Annotated[
        SecretStr | None, written(lambda text: _read_url(text) if text else None)
    ] = None
