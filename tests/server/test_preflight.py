"""A process that must not work on its database says so, in one sentence, and ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from itertools import count

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from infrastructure.database import engine
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.roles import grant_rights
from infrastructure.database.schema import expected_revision, known_revisions, migrate
from infrastructure.keys.secret_box import SecretBox
from localmesh.postgres import Postgres
from server import preflight
from server.preflight import (
    UnusableDatabaseError,
    require_usable,
    until_usable,
    until_usable_at,
)
from server.tables import EVERY_TABLE
from server.working import WORK_LIMITS
from tests.support import typed
from tests.support.mesh import create_database, own_database, process_environment, url_of
from tests.support.typed import Ended

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
_numbers = count()


@pytest.fixture
async def fresh(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A migrated database of the test's own."""
    async with own_database(postgres, pool_size=2) as engine:
        yield engine


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def refused(engine: AsyncEngine, *keys: str) -> UnusableDatabaseError:
    with pytest.raises(UnusableDatabaseError) as raised:
        await require_usable(database_of(engine), SecretBox(keys or (OLD,)))
    assert str(raised.value).endswith(".")
    return raised.value


async def ended(*command: str, url: str, key: str = OLD) -> Ended:
    """A command that is run by itself, once it has ended."""
    return await typed.ended(*command, environment=process_environment(url, SECRETS_KEY=key))


def says_one_sentence(done: Ended, words: str) -> None:
    """A supervisor learns that starting again is of no use, and an operator why."""
    assert done.code == os.EX_CONFIG, done
    assert words in done.problems
    assert "Traceback" not in done.said
    assert len(done.problems.strip().splitlines()) == 1, done


async def test_a_good_database_is_used(fresh: AsyncEngine) -> None:
    """Nothing would ever start."""
    for _ in range(2):
        await require_usable(database_of(fresh), SecretBox([OLD]))


async def test_a_postgresql_that_is_too_old_is_refused(
    fresh: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements would fail one by one, weeks later."""
    monkeypatch.setattr(preflight, "POSTGRES_VERSION_MIN", 99)

    problem = await refused(fresh)

    assert problem.dependency == "database"
    assert "needs 99 or newer" in str(problem)


async def test_an_older_postgresql_is_asked_as_it_can_be_asked(
    fresh: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses settings that it does not know, in words that say nothing of its version.

    The limit of a transaction came with PostgreSQL 17; here one that is yet to come stands for it.
    """
    sent = engine._timeouts  # noqa: SLF001 - what a process says when it connects

    def sent_to_an_older_one(limits: Limits) -> dict[str, str]:
        return {
            "later_timeout" if name == "transaction_timeout" else name: limit
            for name, limit in sent(limits).items()
        }

    monkeypatch.setattr(engine, "_timeouts", sent_to_an_older_one)
    monkeypatch.setattr(preflight, "POSTGRES_VERSION_MIN", 99)

    with pytest.raises(DBAPIError, match="unrecognized configuration parameter"):
        async with create_engine(
            url_of(fresh), pool_size=1, application_name="test", limits=WORK_LIMITS
        ).connect():
            pass
    with pytest.raises(UnusableDatabaseError, match="needs 99 or newer"):
        await until_usable_at(url_of(fresh), SecretBox([OLD]), asyncio.Event())


async def test_an_older_schema_is_refused(fresh: AsyncEngine) -> None:
    """Half of the statements would work."""
    await run(fresh, "UPDATE alembic_version SET version_num = '0001'")

    problem = await refused(fresh)

    assert problem.dependency == "schema"
    assert "`guerdon migrate`" in str(problem)
    for command in (("serve",), ("ledger", "check")):
        says_one_sentence(await ended(*command, url=url_of(fresh)), "run `guerdon migrate`")


async def test_no_schema_is_refused(postgres: Postgres) -> None:
    """An operator who forgot to migrate would read of tables that are not there."""
    url = await create_database(postgres, f"preflight_{next(_numbers)}")
    says_one_sentence(await ended("work", url=url), "has no schema yet")


async def test_a_newer_schema_is_refused(fresh: AsyncEngine) -> None:
    """An old process would go on writing what a newer version no longer understands."""
    await run(fresh, "UPDATE alembic_version SET version_num = '9999'")

    problem = await refused(fresh)

    assert problem.dependency == "schema"
    assert "run the newer version" in str(problem)
    for command in ("serve", "work", "migrate"):
        says_one_sentence(await ended(command, url=url_of(fresh)), "run the newer version")


async def test_another_key_is_refused_while_it_is_needed(fresh: AsyncEngine) -> None:
    """Every shop's webhook would be answered 500, and nobody know why."""
    await require_usable(database_of(fresh), SecretBox([OLD]))

    problem = await refused(fresh, NEW)
    assert problem.dependency == "secrets"
    for key in (OLD, NEW):
        assert key not in str(problem)
    says_one_sentence(await ended("serve", url=url_of(fresh), key=NEW), "GUERDON_SECRETS_KEY")

    # Both: the new one seals, the old one opens what it sealed.
    await require_usable(database_of(fresh), SecretBox([NEW, OLD]))
    # Now the new one is needed as well.
    assert (await refused(fresh, OLD)).dependency == "secrets"


async def test_a_user_without_rights_is_refused(fresh: AsyncEngine) -> None:
    """Reading would work, and writing fail, call by call."""
    await run(fresh, "CREATE ROLE looks_only LOGIN PASSWORD 'looks'")
    try:
        url = make_url(url_of(fresh)).set(username="looks_only", password="looks")
        shown = url.render_as_string(hide_password=False)
        says_one_sentence(await ended("serve", url=shown), "has no SELECT on alembic_version")
        await run(fresh, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looks_only")
        says_one_sentence(await ended("work", url=shown), "INSERT on account, UPDATE (balance) on")
        # One right of many: the table is named.
        await grant_rights(fresh, "looks_only", EVERY_TABLE)
        await run(fresh, "REVOKE DELETE ON delivery FROM looks_only")
        says_one_sentence(await ended("work", url=shown), "has no DELETE on delivery: run `guerdon")
        await run(fresh, "REVOKE USAGE ON SCHEMA public FROM PUBLIC, looks_only")
        says_one_sentence(await ended("serve", url=shown), "USAGE")
    finally:
        await run(fresh, "GRANT USAGE ON SCHEMA public TO PUBLIC")
        await run(fresh, "DROP OWNED BY looks_only")
        await run(fresh, "DROP ROLE looks_only")


async def test_who_may_do_more_than_it_needs_is_told_once(
    fresh: AsyncEngine, postgres: Postgres
) -> None:
    """A deployment that works as the owner would look like one that does not."""
    role_url = make_url(postgres.role_url_of(make_url(url_of(fresh)).database or ""))
    engine = create_engine(
        role_url.render_as_string(hide_password=False), pool_size=1, application_name="preflight"
    )
    for each, warnings in ((fresh, 1), (engine, 0)):
        with capture_logs() as lines:
            await until_usable(database_of(each), SecretBox([OLD]), asyncio.Event())
        told = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert told == ["database user may do more than it needs"] * warnings
    await engine.dispose()


async def test_a_database_that_is_away_is_waited_for(postgres: Postgres) -> None:
    """A process that starts a moment before its database would be gone."""
    name = f"preflight_{next(_numbers)}"
    engine = create_engine(postgres.url_of(name), pool_size=1, application_name="preflight")
    stopping = asyncio.Event()
    try:
        waiting = asyncio.create_task(until_usable(database_of(engine), SecretBox([OLD]), stopping))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await create_database(postgres, name)
        await migrate(engine)
        async with asyncio.timeout(5):
            await waiting
    finally:
        await engine.dispose()


async def test_waiting_ends_when_the_process_is_told_to_stop(postgres: Postgres) -> None:
    """Ctrl-C would do nothing."""
    engine = create_engine(postgres.url_of("nowhere"), pool_size=1, application_name="preflight")
    stopping = asyncio.Event()
    stopping.set()
    await until_usable(database_of(engine), SecretBox([OLD]), stopping)
    await engine.dispose()


def test_revisions_are_known_in_their_order() -> None:
    """The newest revision would be taken for one of a newer version."""
    assert expected_revision() == max(known_revisions())
