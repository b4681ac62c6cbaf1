"""The environment, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from cryptography.fernet import Fernet
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from server.header_names import read_header_names

PREFIX = "GUERDON_"
SECRETS_KEYS_MAX = 4
"""What a process tells of its keys has room for so many."""
_DATABASE_PARAMETERS = {"ssl", "host", "port", "passfile", "service", "servicefile"}
"""What may stand behind the `?` of a database's address."""
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

Value = TypeVar("Value")


class Stage(StrEnum):
    """Where the process runs. Production refuses what only trials need."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(Exception):
    """The environment is not usable. The message names every setting that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["These settings are missing or wrong:", *problems]))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a process is told from outside. `docs/settings.md` explains each."""

    database_url: str
    database_pool_size: int
    service_token: str
    secrets_keys: tuple[str, ...]
    stage: Stage
    listen_host: str
    listen_port: int
    drain_seconds: float
    client_id_headers: tuple[str, ...]
    accepts_referrer_client_ids: bool
    rate_age_max: timedelta
    event_loop: str
    log_level: str
    log_format: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Reads the settings from variables that begin with `GUERDON_`.

    Raises:
        SettingsError: some are missing or wrong; it names all of them.
    """
    reader = _Reader(environment)
    settings = Settings(
        database_url=reader.read("DATABASE_URL", _database_url),
        database_pool_size=reader.read("DATABASE_POOL_SIZE", _between(1, 100), default="8"),
        service_token=reader.read("SERVICE_TOKEN", _token),
        secrets_keys=reader.read("SECRETS_KEY", _fernet_keys),
        stage=reader.read("STAGE", _choice(Stage), default="development"),
        listen_host=reader.read("LISTEN_HOST", str, default="127.0.0.1"),
        listen_port=reader.read("LISTEN_PORT", _between(0, 65535), default="50051"),
        drain_seconds=reader.read("DRAIN_SECONDS", _seconds, default="2.5"),
        client_id_headers=reader.read("CLIENT_ID_HEADERS", read_header_names, default=""),
        accepts_referrer_client_ids=reader.read(
            "ACCEPT_REFERRER_CLIENT_IDS", _one_of("no", "yes"), default="no"
        )
        == "yes",
        rate_age_max=_rate_age_max(reader),
        event_loop=reader.read("EVENT_LOOP", _one_of("uvloop", "asyncio"), default="uvloop"),
        log_level=reader.read("LOG_LEVEL", _one_of("debug", "info", "warning"), default="info"),
        log_format=reader.read("LOG_FORMAT", _one_of("json", "console"), default="json"),
    )
    reader.require_all()
    return settings


def read_sealing(environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Where the database is and what its secrets are sealed with: all that sealing again needs.

    Raises:
        SettingsError: some are missing or wrong; it names all of them.
    """
    reader = _Reader(environment)
    url = reader.read("DATABASE_URL", _database_url)
    keys = reader.read("SECRETS_KEY", _fernet_keys)
    reader.require_all()
    return url, keys


def read_migration(environment: Mapping[str, str]) -> tuple[str, str | None]:
    """Where the database is, and the role that processes will work as: all that migrating needs.

    Raises:
        SettingsError: some are missing or wrong; it names all of them.
    """
    reader = _Reader(environment)
    url = reader.read("DATABASE_URL", _database_url)
    role = reader.read("DATABASE_ROLE", str, default="")
    reader.require_all()
    return url, role or None


def read_rate_age_max(environment: Mapping[str, str]) -> timedelta:
    """How old a rate may be: all that a command needs which tells what rates are missing.

    Raises:
        SettingsError: it is wrong.
    """
    reader = _Reader(environment)
    rate_age_max = _rate_age_max(reader)
    reader.require_all()
    return rate_age_max


def checked_database_url(text: str) -> str:
    """The same address, for commands that take it from elsewhere.

    Raises:
        SettingsError: it is none.
    """
    reader = _Reader({f"{PREFIX}DATABASE_URL": text})
    url = reader.read("DATABASE_URL", _database_url)
    reader.require_all()
    return url


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def read(
        self, name: str, parse: Callable[[str], Value], *, default: str | None = None
    ) -> Value:
        text = self._environment.get(PREFIX + name, default)
        try:
            if text is None:
                message = "is missing"
                raise ValueError(message)  # noqa: TRY301 - told like every other problem
            return parse(text)
        except ValueError as problem:
            self.problems.append(f"  {PREFIX}{name} {problem}; see docs/settings.md")
            return None  # type: ignore[return-value]  # never seen: `require_all` raises

    def require_all(self) -> None:
        """Raises SettingsError if something that was read is missing or wrong."""
        if self.problems:
            raise SettingsError(self.problems)


def _rate_age_max(reader: _Reader) -> timedelta:
    hours = reader.read("RATE_AGE_MAX_HOURS", _between(1, 8_760), default="168")
    # None when it is wrong, which `require_all` tells.
    return timedelta(hours=hours or 1)


def _database_url(text: str) -> str:
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
    unknown = url.query.keys() - _DATABASE_PARAMETERS
    if unknown:
        message = f"has the parameter {min(unknown)}; for TLS it is ssl, as in ?ssl=verify-full"
        raise ValueError(message)
    mode = url.query.get("ssl", "prefer")
    if mode not in _TLS_MODES:
        message = f"has an ssl that is not known; it is one of {', '.join(_TLS_MODES)}"
        raise ValueError(message)
    return text


def _token(text: str) -> str:
    least = 32
    if len(text) < least:
        message = f"must have at least {least} characters"
        raise ValueError(message)
    if not text.isascii() or not text.isprintable() or " " in text:
        message = "must have no spaces, and no other characters than a header may have"
        raise ValueError(message)
    return text


def _fernet_keys(text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    try:
        for key in keys:
            Fernet(key)
    except ValueError as problem:
        message = "must be one or more Fernet keys, separated by commas"
        raise ValueError(message) from problem
    if not keys:
        message = "must be one or more Fernet keys, separated by commas"
        raise ValueError(message)
    if len(keys) > SECRETS_KEYS_MAX:
        message = (
            f"names {len(keys)} keys, and {SECRETS_KEYS_MAX} are the most: run `guerdon secrets "
            "rotate`, then leave out those behind the first one"
        )
        raise ValueError(message)
    return keys


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 60:  # noqa: PLR2004 - a minute
        message = "must be a number of seconds from 0 to 60"
        raise ValueError(message)
    return seconds


def _between(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            message = f"must be a whole number from {least} to {most}"
            raise ValueError(message)
        return int(text)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            message = f"must be one of: {', '.join(choices)}"
            raise ValueError(message)
        return text

    return parse


def _choice(kind: type[Stage]) -> Callable[[str], Stage]:
    def parse(text: str) -> Stage:
        return kind(_one_of(*kind)(text))

    return parse
