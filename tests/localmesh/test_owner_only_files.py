from __future__ import annotations

import os
from pathlib import Path

import pytest

from localmesh.owner_only_files import keep_or_make, write_owner_only


@pytest.fixture(autouse=True)
def _generous_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    """Every restart would lock out the services that hold the token, or lose the data under the
    key.
    """
    made = iter(["first", "second"])

    assert keep_or_make(tmp_path / "token", lambda: next(made)) == "first"
    assert keep_or_make(tmp_path / "token", lambda: next(made)) == "first"


def test_only_the_owner_reads_a_secret(tmp_path: Path) -> None:
    """Every account of the host could call the mesh as a service."""
    write_owner_only(tmp_path / "token", "secret")

    assert mode_of(tmp_path / "token") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_secret_that_became_readable_is_closed_again(tmp_path: Path) -> None:
    """A folder restored from a backup would show its secrets to everyone."""
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "token").chmod(0o644)

    assert keep_or_make(tmp_path / "token", lambda: "another") == "secret"
    assert mode_of(tmp_path / "token") == 0o600


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """After a full disk, the mesh would accept the empty token."""
    (tmp_path / "token").touch()

    assert keep_or_make(tmp_path / "token", lambda: "made") == "made"
