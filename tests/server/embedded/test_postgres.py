from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from server.embedded.postgres import Postgres, PostgresError, find_binaries
from server.embedded.unprivileged import AccountError, account_for
from tests.support.postgres import free_port
from tests.support.processes import is_alive, wait_until

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data made once; each test that starts a server takes a copy."""
    folder = tmp_path_factory.mktemp("finished") / "postgres"
    Postgres(folder=folder, port=free_port(), durable=False).prepare()
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return copy_of(finished, tmp_path / "postgres")


def copy_of(finished: Path, target: Path) -> Path:
    shutil.copytree(finished, target)
    owner = finished.stat()
    for path in [target, *target.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid)
    return target


@contextmanager
def started(folder: Path, *, binaries: Path | None = None) -> Iterator[Postgres]:
    postgres = Postgres(folder=folder, port=free_port(), durable=False, binaries=binaries)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()


def pid_on(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


async def execute(postgres: Postgres, statement: str) -> object:
    connection = await postgres.connect()
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
