from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.running_stack import RunningStack, read_running
from tests.support.files import ROOT
from tests.support.processes import is_alive, wait_until

START_SECONDS_MAX = 60


@contextmanager
def an_up(folder: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """`guerdon up` as somebody types it. Asked to stop at the end, if it still runs."""
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]),
        # Nobody calls while it stops.
        "GUERDON_DRAIN_SECONDS": "0",
        **more,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "server", "up", "--no-durable", "--folder", str(folder)],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def started(folder: Path, process: subprocess.Popen[str]) -> RunningStack:
    """The stack, once it answers."""
    wait_until(
        lambda: process.poll() is not None or read_running(folder) is not None,
        what="a mesh that answers",
        timeout_seconds=START_SECONDS_MAX,
    )
    running = read_running(folder)
    assert running is not None, process.communicate()[0]
    return running


def said(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=START_SECONDS_MAX)[0]


def test_the_mesh_starts_is_found_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """The first command that a stranger types would not work, or would leave things behind."""
    with an_up(tmp_path) as process:
        running = started(tmp_path, process)
        with an_up(tmp_path) as second:
            refusal = said(second)
            assert second.returncode == 1
        assert all(is_alive(pid) for pid in running.pids.values())
        process.send_signal(signal.SIGINT)
        text = said(process)

    assert f"already runs on {tmp_path} (process {running.pid})" in refusal
    assert process.returncode == 0, text
    assert list(running.pids) == [
        "postgres",
        "serve-1",
        "serve-2",
        "work",
        "envoy-public",
        "envoy-mesh",
    ]
    assert not any(is_alive(pid) for pid in running.pids.values())
    assert read_running(tmp_path) is None
    assert not (tmp_path / "stack.json").exists()
    assert running.public_url in text
    assert running.mesh_address in text
    for name in ("password", "role.password"):
        password = (tmp_path / "postgres" / name).read_text().strip()
        assert password not in text, "whoever looks over a shoulder reads the password"
    # Of the role that owns nothing.
    assert f"//guerdon_app:{password}@" in running.database_url
    assert running.service_token not in text, "whoever looks over a shoulder reads the token"


def test_after_a_kill_nothing_stays_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """Out of memory, and a person would have to find and end five processes by hand."""
    with an_up(tmp_path) as process:
        killed = started(tmp_path, process)
        process.kill()
        process.wait()
        wait_until(
            lambda: not any(is_alive(pid) for pid in killed.pids.values()),
            what="the end of the children",
        )
        assert read_running(tmp_path) is None

    with an_up(tmp_path) as process:
        again = started(tmp_path, process)
        assert again.service_token == killed.service_token
        process.send_signal(signal.SIGTERM)
        text = said(process)

    assert process.returncode == 0, text


def test_ctrl_c_while_starting_leaves_nothing(tmp_path: Path) -> None:
    """A start that was thought better of would go on in the background."""
    lock = tmp_path / "postgres" / "data" / "postmaster.pid"
    with an_up(tmp_path) as process:
        wait_until(lambda: lock.exists() and bool(lock.read_text()), what="the database")
        pid = int(lock.read_text().splitlines()[0])
        process.send_signal(signal.SIGINT)
        text = said(process)

    assert process.returncode == 0, text
    assert "Stopped." in text
    assert not is_alive(pid)
    assert not (tmp_path / "stack.json").exists()


def test_wrong_settings_are_told_before_anything_is_made(tmp_path: Path) -> None:
    """Whoever starts it again in vain would wait each time for a database, and be told one."""
    folder = tmp_path / "new"
    with an_up(folder, GUERDON_LOG_LEVEL="loud", GUERDON_DRAIN_SECONDS="soon") as process:
        told = said(process)

    assert process.returncode == os.EX_CONFIG
    assert "GUERDON_LOG_LEVEL" in told
    assert "GUERDON_DRAIN_SECONDS" in told
    assert not folder.exists()
