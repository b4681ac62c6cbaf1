"""What a process asks of its database before it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from sqlalchemy import text

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.failures import is_away, is_timeout, sqlstate
from infrastructure.database.roles import find_rights, listed
from infrastructure.database.schema import expected_revision, known_revisions
from infrastructure.database.sealing_key import add_fingerprint, list_fingerprints
from infrastructure.database.transaction import Database, Transaction
from server.causes import cause_of
from server.connected import Connected, list_connected, mark_of, named
from server.connecting import connect_refusal
from server.repeating import RETRY_AFTER
from server.tables import EVERY_TABLE

POSTGRES_VERSION_MIN = 18
LOGIN_SECONDS_MAX = 30.0
"""So long a role or a database that is not there may still be made by whoever sets them up."""
_UNDEFINED_TABLE = "42P01"
_NO_RIGHT = "42501"

_log = structlog.get_logger()

_VERSION = text("SELECT current_setting('server_version_num')::int / 10000")
_REVISION = text("SELECT version_num FROM alembic_version")
# Whether there is a schema that this user does not see, for want of USAGE or by its search_path.
_UNSEEN = text("SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'shop_order')")


class SealingKeys(Protocol):
    """The keys that a process seals secrets with, and opens them."""

    @property
    def fingerprint(self) -> bytes:
        """Of the key that secrets are sealed with."""

    @property
    def fingerprints(self) -> tuple[bytes, ...]:
        """Of every key that sealed secrets can be read with, the one that seals first."""


class UnusableDatabaseError(Exception):
    """The process must not work on its database. One sentence: what, and what to do.

    `dependency` is what is wrong, in one word: `database`, `schema`, `rights` or `secrets`.
    """

    def __init__(self, dependency: str, sentence: str) -> None:
        super().__init__(sentence)
        self.dependency = dependency


class KeyNotSharedError(Exception):
    """A process could not read what this one would seal. It can be waited for."""

    def __init__(self, lacking: Sequence[Connected]) -> None:
        lack = "lacks" if len(lacking) == 1 else "lack"
        super().__init__(
            f"{named(lacking)} {lack} the first key of GUERDON_SECRETS_KEY, and could not read "
            "what is sealed with it: first start every process with that key behind its own one."
        )


async def until_usable_at(url: str, secrets: SealingKeys, stopping: asyncio.Event) -> None:
    """The same, by a connection without the limits that an older PostgreSQL does not know.

    Raises:
        UnusableDatabaseError: the process must not work on it.
    """
    engine = create_engine(url, pool_size=1, application_name="preflight")
    host = engine.url.host or str(engine.url.query.get("host", ""))
    try:
        await until_usable(database_of(engine), secrets, stopping, by_socket=host.startswith("/"))
    finally:
        await engine.dispose()


async def until_usable(
    database: Database, secrets: SealingKeys, stopping: asyncio.Event, *, by_socket: bool = False
) -> None:
    """Returns once the database was asked, or the process is told to stop.

    One that is away is waited for, one that lets nobody in for `LOGIN_SECONDS_MAX`.

    Raises:
        UnusableDatabaseError: the process must not work on it.
    """
    now = asyncio.get_running_loop().time
    refused_since: float | None = None
    while not stopping.is_set():
        try:
            beyond = await require_usable(database, secrets)
        except KeyNotSharedError as problem:
            _log.warning("waiting for others to have the key", problem=str(problem))
        except Exception as raised:
            refusal = connect_refusal(raised, by_socket=by_socket)
            if refusal is None:
                refused_since = None
                if not is_away(raised) and not is_timeout(raised):
                    raise
            else:
                refused_since = refused_since or now()
                if not refusal.may_pass or now() - refused_since >= LOGIN_SECONDS_MAX:
                    raise UnusableDatabaseError("database", refusal.sentence) from raised
            _log.warning("dependency away", job="preflight", **cause_of(raised))
        else:
            if beyond:
                _log.warning("database user may do more than it needs", beyond=listed(beyond))
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RETRY_AFTER.total_seconds())


async def require_usable(database: Database, secrets: SealingKeys) -> Sequence[str]:
    """Asks all that must be so, and notes the key that secrets are sealed with from now on.

    Returns what the user may do to our tables although no process does it.

    Raises:
        UnusableDatabaseError: something is not so.
        KeyNotSharedError: nobody has sealed with that key yet, and a process lacks it.
    """
    async with database.single() as tx:
        beyond = await require_tables(tx)
        await require_keys(tx, secrets)
        await note_key(tx, secrets)
    return beyond


async def require_tables(tx: Transaction) -> Sequence[str]:
    """Asks for the version, the schema and the rights; returns what the user may do beyond them.

    Raises:
        UnusableDatabaseError: something is not so.
    """
    await require_version(tx)
    await require_schema(tx)
    return await _require_rights(tx)


async def require_version(tx: Transaction) -> None:
    """Raises UnusableDatabaseError on a PostgreSQL that is too old."""
    version: int = (await tx.execute(_VERSION)).scalar_one()
    if version < POSTGRES_VERSION_MIN:
        raise UnusableDatabaseError(
            "database",
            f"The database is PostgreSQL {version}, and this version needs "
            f"{POSTGRES_VERSION_MIN} or newer: upgrade it, or name another one with "
            "GUERDON_DATABASE_URL.",
        )


async def require_schema(tx: Transaction) -> None:
    """Raises UnusableDatabaseError unless the schema is the one of this version."""
    revision = await find_revision(tx)
    expected = expected_revision()
    if revision == expected:
        return
    if revision is None:
        if (await tx.execute(_UNSEEN)).scalar_one():
            raise _without("way to the schema (USAGE on it, or its name in search_path)")
        raise UnusableDatabaseError(
            "schema", "The database has no schema yet: run `guerdon migrate` first."
        )
    await refuse_newer(tx)
    raise UnusableDatabaseError(
        "schema",
        f"The database's schema is at revision {revision}, and this version needs "
        f"{expected}: run `guerdon migrate`.",
    )


async def refuse_newer(tx: Transaction) -> None:
    """Raises UnusableDatabaseError on a schema that a newer version made."""
    revision = await find_revision(tx)
    if revision is not None and revision not in known_revisions():
        raise UnusableDatabaseError(
            "schema",
            f"The database's schema is at revision {revision}, which a newer version made, and "
            f"this version knows those up to {expected_revision()}: run the newer version.",
        )


async def find_revision(tx: Transaction) -> str | None:
    """The revision that the database is at; None if it has no schema."""
    try:
        found: str | None = (await tx.execute(_REVISION)).scalar_one_or_none()
    except Exception as failure:
        match sqlstate(failure):
            case code if code == _UNDEFINED_TABLE:
                return None
            case code if code == _NO_RIGHT:
                raise _without("SELECT on alembic_version") from failure
        raise
    return found


def _without(rights: str) -> UnusableDatabaseError:
    return UnusableDatabaseError(
        "rights",
        f"The database's user has no {rights}: run `guerdon migrate` as the owner of the tables "
        "with GUERDON_DATABASE_ROLE naming this user, or name another user in "
        "GUERDON_DATABASE_URL.",
    )


async def _require_rights(tx: Transaction) -> Sequence[str]:
    found = await find_rights(tx, EVERY_TABLE)
    if found.missing:
        raise _without(listed(found.missing))
    return found.beyond


async def require_keys(tx: Transaction, secrets: SealingKeys) -> None:
    """Raises UnusableDatabaseError unless every secret can be read."""
    if await list_fingerprints(tx) - {*secrets.fingerprints}:
        raise UnusableDatabaseError(
            "secrets",
            "The database holds secrets that were sealed with a key which GUERDON_SECRETS_KEY "
            "does not name, and without it shops' webhooks cannot be verified: add that key, after "
            "the first one and a comma; if it is lost, see `guerdon secrets forget-lost`.",
        )


async def note_key(tx: Transaction, secrets: SealingKeys) -> None:
    """Notes the key that is sealed with, the first time that it is.

    Raises:
        KeyNotSharedError: there are processes which could not read that.
    """
    if secrets.fingerprint not in await list_fingerprints(tx):
        await require_shared(tx, secrets)
        await add_fingerprint(tx, secrets.fingerprint)


async def require_shared(tx: Transaction, secrets: SealingKeys) -> None:
    """Raises KeyNotSharedError unless every process has the key that is sealed with."""
    mark = mark_of(secrets.fingerprint)
    lacking = [each for each in await list_connected(tx) if not each.opens({mark})]
    if lacking:
        raise KeyNotSharedError(lacking)
