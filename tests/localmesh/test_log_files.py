"""Logs that are written all the time, and stay short."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from localmesh import log_files
from localmesh.log_files import open_log, shorten, tail
from localmesh.processes import Child, Supervisor
from tests.support.processes import is_alive

BYTES_MAX = 64 << 10
LINES = 60_000
# With a system call a line, as the processes of a stack write theirs.
WRITER = f"""
import os
for number in range({LINES}):
    os.write(1, b'{{"number": %d, "padding": "%s"}}\\n' % (number, b"x" * (number % 97)))
"""


def numbers_in(text: str) -> list[int]:
    return [int(line.split('"number": ')[1].split(",")[0]) for line in text.splitlines() if line]


def predecessor(log: Path) -> Path:
    return log.with_name(log.name + ".1")


def test_a_log_is_shortened_under_its_writer_and_no_line_is_lost(tmp_path: Path) -> None:
    """The disk would fill up under a process that runs for months, or the lines of a crash be
    those that are missing.
    """
    log = tmp_path / "logs" / "child.log"
    with open_log(log) as file:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stdout=file)
    found: list[int] = []
    times = 0
    while writer.poll() is None:
        if shorten(log, bytes_max=BYTES_MAX):
            times += 1
            found += numbers_in(predecessor(log).read_text())
            assert log.stat().st_size < 100 * BYTES_MAX
    found += numbers_in(log.read_text())

    assert writer.returncode == 0
    assert times > 3
    assert found == list(range(LINES))


@pytest.mark.parametrize("lines", [1, 2, 1000])
def test_where_the_kernel_takes_nothing_out_a_log_is_copied_and_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    """On tmpfs and btrfs logs would grow for ever."""
    monkeypatch.setattr(log_files, "_take_out", lambda *_: False)
    log = tmp_path / "child.log"
    text = "".join(f'{{"number": {number}, }}\n' for number in range(lines))
    with open_log(log) as file:
        file.write(text.encode())
        file.flush()

        assert shorten(log, bytes_max=10)
        file.write(b"behind\n")

    assert predecessor(log).read_text() == text
    assert log.read_text() == "behind\n"
    assert predecessor(log).stat().st_mode & 0o777 == 0o600


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    """Each look would throw away what was set aside before."""
    log = tmp_path / "child.log"
    log.write_text("line\n")

    assert not shorten(log, bytes_max=5)
    assert not shorten(tmp_path / "none.log")
    assert [each.name for each in tmp_path.iterdir()] == ["child.log"]


def test_the_end_of_a_log_that_was_shortened_is_shown(tmp_path: Path) -> None:
    """Whoever starts a stack would read of a failure that the log is empty."""
    log = tmp_path / "child.log"
    log.write_text("why\n")

    assert "why" in tail(log, start=1 << 20)


async def test_a_supervisor_shortens_the_logs_of_its_children(tmp_path: Path) -> None:
    """Nothing was shortened before a process was started anew."""
    supervisor = Supervisor(
        log_folder=tmp_path,
        say=lambda _: None,
        on_change=lambda: None,
        log_bytes_max=BYTES_MAX,
    )
    child = Child(
        name="child",
        command=(sys.executable, "-c", f"{WRITER}\nimport time\ntime.sleep(60)"),
        environment={},
        folder=tmp_path,
    )
    log = tmp_path / "child.log"
    try:
        await supervisor.start(child)
        pid = supervisor.processes["child"].pid
        async with asyncio.timeout(30):
            while True:
                if predecessor(log).exists() and log.stat().st_size <= BYTES_MAX:
                    break
                await asyncio.sleep(0.05)

        assert is_alive(pid)
        assert supervisor.processes["child"].pid == pid
        assert numbers_in(log.read_text())[-1:] in ([LINES - 1], [])
    finally:
        await supervisor.stop_all()
