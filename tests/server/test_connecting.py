"""What is wrong with how the database is connected to is said, and not waited for in vain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click import ClickException
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from infrastructure.database.engine import create_engine
from infrastructure.keys.secret_box import SecretBox
from localmesh.postgres import Postgres
from server import preflight
from server.commands.database import explained_database_faults
from server.connecting import connect_refusal
from server.preflight import UnusableDatabaseError, until_usable_at
from tests.support import typed
from tests.support.mesh import own_database, process_environment, url_of
from tests.support.tls_proxy import tls_proxy, write_certificate
from tests.support.typed import Ended

KEY = Fernet.generate_key().decode()


@pytest.fixture
async def place(postgres: Postgres) -> AsyncIterator[URL]:
    """Where a migrated database of the test's own is."""
    async with own_database(postgres, pool_size=1) as engine:
        yield address_of(engine)


def address_of(engine: AsyncEngine) -> URL:
    return make_url(url_of(engine))


def written(url: URL) -> str:
    return url.render_as_string(hide_password=False)


async def ended(*command: str, url: URL, home: Path, **environment: str) -> Ended:
    """A command, once it has ended; of a user in whose home there is nothing."""
    variables = process_environment(written(url), SECRETS_KEY=KEY)
    return await typed.ended(*command, environment=variables | {"HOME": str(home), **environment})


def says(done: Ended, *words: str) -> None:
    """One sentence, and a supervisor learns that starting again is of no use."""
    assert done.code == os.EX_CONFIG, done
    for each in words:
        assert each in done.problems
    assert "Traceback" not in done.said
    assert len(done.problems.strip().splitlines()) == 1, done


async def test_tls_that_cannot_come_about_is_said(place: URL, tmp_path: Path) -> None:
    """A process waited for ever, and its log told of no cause."""
    verified = place.set(query={"ssl": "verify-full"})
    says(await ended("serve", url=verified, home=tmp_path), "root.crt", "PGSSLROOTCERT")
    for name, content in (("missing", None), ("garbage", "no certificate")):
        file = tmp_path / name
        if content is not None:
            file.write_text(content)
        done = await ended("work", url=verified, home=tmp_path, PGSSLROOTCERT=str(file))
        says(done, "TLS to the database", "PGSSLROOTCERT")
    required = place.set(query={"ssl": "require"})
    for command in (("serve",), ("ledger", "check")):
        says(await ended(*command, url=required, home=tmp_path), "speaks no TLS")
    bogus = place.set(query={"ssl": "bogus"})
    done = await ended("serve", url=bogus, home=tmp_path)
    assert done.code == os.EX_CONFIG
    assert "has an ssl that is not known; it is one of disable, allow" in done.problems


async def test_a_certificate_of_another_host_is_not_accepted(place: URL, tmp_path: Path) -> None:
    """Whoever stands between would be told the password, or nobody why nothing starts."""
    assert place.host is not None
    assert place.port is not None
    for host, code in (("db.example", os.EX_CONFIG), ("127.0.0.1", 0)):
        certificate = write_certificate(tmp_path, host=host)
        async with tls_proxy(place.host, place.port, certificate) as port:
            url = place.set(host="127.0.0.1", port=port, query={"ssl": "verify-full"})
            trusting = {"PGSSLROOTCERT": str(certificate)}
            done = await ended("ledger", "check", url=url, home=tmp_path, **trusting)
            assert done.code == code, done
            if code:
                says(done, "db.example" if "db.example" in done.problems else "mismatch")
                says(await ended("serve", url=url, home=tmp_path, **trusting), "not accepted")


async def test_a_handshake_that_is_cut_is_waited_for_with_its_cause(
    place: URL, tmp_path: Path
) -> None:
    """A database that starts behind a proxy would end the process, or nobody know why it waits."""
    assert place.host is not None
    assert place.port is not None
    certificate = write_certificate(tmp_path, host="127.0.0.1")
    async with tls_proxy(place.host, place.port, certificate, cuts=True) as port:
        url = written(place.set(host="127.0.0.1", port=port, query={"ssl": "require"}))
        with capture_logs() as lines:
            stopping = asyncio.Event()
            waiting = asyncio.create_task(until_usable_at(url, SecretBox([KEY]), stopping))
            async with asyncio.timeout(10):
                while not lines:  # noqa: ASYNC110 - the log says it
                    await asyncio.sleep(0.01)
            assert not waiting.done()
            stopping.set()
            await waiting
    assert lines[0]["event"] == "dependency away"
    assert lines[0].get("cause"), lines[0]


@pytest.mark.parametrize(
    ("changed", "state", "words"),
    [
        ({"password": "wrong"}, "28P01", "password authentication failed"),
        ({"username": "nobody_knows"}, "28", "nobody_knows"),
        ({"database": "nowhere"}, "3D000", '"nowhere" does not exist'),
    ],
    ids=["password", "role", "database"],
)
async def test_a_login_that_stays_refused_is_said(
    place: URL,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str],
    state: str,
    words: str,
) -> None:
    """A process with a wrong password would wait for ever, and look as if it were starting."""
    monkeypatch.setattr(preflight, "LOGIN_SECONDS_MAX", 1.5)
    url = written(place.set(**changed))  # type: ignore[arg-type]  # names of its parts

    with capture_logs() as lines, pytest.raises(UnusableDatabaseError, match=words) as refused:
        async with asyncio.timeout(10):
            await until_usable_at(url, SecretBox([KEY]), asyncio.Event())

    assert refused.value.dependency == "database"
    # Waited for at first: somebody may just be making it. Each line names the cause.
    assert len(lines) >= 2
    assert all(line["sqlstate"].startswith(state) and words in line["cause"] for line in lines)
    assert "wrong" not in str(refused.value)


async def test_a_command_does_not_wait_for_a_login(place: URL, tmp_path: Path) -> None:
    """Whoever types would see nothing for half a minute."""
    done = await ended("migrate", url=place.set(password="wrong"), home=tmp_path)
    says(done, "password authentication failed")


async def test_a_command_tells_no_row_of_a_fault(place: URL) -> None:
    """PostgreSQL's details hold values of rows: of people, and of secrets."""
    engine = create_engine(written(place), pool_size=1, application_name="tests")
    statement = text("INSERT INTO sealing_key (fingerprint) VALUES (decode('c0ffee', 'hex'))")

    async def add() -> None:
        with explained_database_faults():
            async with engine.begin() as connection:
                await connection.execute(statement)

    await add()
    with pytest.raises(ClickException) as told:
        await add()
    await engine.dispose()

    assert "pk_sealing_key" in told.value.message
    assert "23505" in told.value.message
    assert "c0ffee" not in told.value.message
    assert told.value.exit_code == 1


def test_a_socket_that_is_not_there_yet_is_waited_for() -> None:
    """A process that starts before the PostgreSQL of its host would be gone."""
    missing = FileNotFoundError(2, "No such file or directory")

    assert connect_refusal(missing, by_socket=True) is None
    assert connect_refusal(missing) is not None
    assert connect_refusal(ConnectionRefusedError(111, "Connection refused")) is None
