"""Settings of a process: one group for each layer of it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from cryptography.fernet import Fernet
from pydantic import SecretStr

from server.header_names import read_header_names
from server.settings.database import DatabaseSettings, PoolSettings
from server.settings.group import SettingsGroup, written
from server.settings.texts import whole_number

SECRETS_KEYS_MAX = 4
"""A process says by the name of its database connections which keys it has: so many fit."""
_DRAIN_SECONDS_MAX = 60
_TOKEN_CHARACTERS_MIN = 32


class Stage(StrEnum):
    """Where the process runs. Production refuses what only trials need."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def _read_token(text: str) -> str:
    if len(text) < _TOKEN_CHARACTERS_MIN:
        message = f"must have at least {_TOKEN_CHARACTERS_MIN} characters"
        raise ValueError(message)
    if not text.isascii() or not text.isprintable() or " " in text:
        message = "must have no spaces, and no other characters than a header may have"
        raise ValueError(message)
    return text


def _read_fernet_keys(text: str) -> tuple[str, ...]:
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


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _DRAIN_SECONDS_MAX:
        message = f"must be a number of seconds from 0 to {_DRAIN_SECONDS_MAX}"
        raise ValueError(message)
    return seconds


class CallerSettings(SettingsGroup):
    """By what callers are known."""

    service_token: Annotated[SecretStr, written(_read_token)]
    client_id_headers: Annotated[tuple[str, ...], written(read_header_names)] = ()


class SealingSettings(SettingsGroup):
    """What stored secrets are sealed with."""

    secrets_key: Annotated[tuple[SecretStr, ...], written(_read_fernet_keys)]

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """The first one seals, all of them open."""
        return tuple(key.get_secret_value() for key in self.secrets_key)


class RateSettings(SettingsGroup):
    """Which exchange rates count."""

    rate_age_max_hours: Annotated[int, written(whole_number(1, 8_760))] = 168

    @property
    def rate_age_max(self) -> timedelta:
        return timedelta(hours=self.rate_age_max_hours)


class FlowSettings(RateSettings):
    """What flows and domains go by."""

    stage: Stage = Stage.DEVELOPMENT
    accept_referrer_client_ids: Literal["no", "yes"] = "no"

    @property
    def accepts_referrer_client_ids(self) -> bool:
        return self.accept_referrer_client_ids == "yes"


class ServeSettings(SettingsGroup):
    """Where a server listens, and how it ends."""

    listen_host: str = "127.0.0.1"
    listen_port: Annotated[int, written(whole_number(0, 65_535))] = 50_051
    drain_seconds: Annotated[float, written(_read_seconds)] = 2.5


class RuntimeSettings(SettingsGroup):
    """What any process runs on, and what it writes."""

    event_loop: Literal["uvloop", "asyncio"] = "uvloop"
    log_level: Literal["debug", "info", "warning"] = "info"
    log_format: Literal["json", "console"] = "json"


class SecretsSettings(SealingSettings, DatabaseSettings):
    """What sealing again needs: where the secrets are, and the keys."""


# What is wrong is named from the last group to the first.
class Settings(
    RuntimeSettings, ServeSettings, FlowSettings, SealingSettings, CallerSettings, PoolSettings
):
    """All settings of `serve` and `work`."""
