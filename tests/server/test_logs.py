"""What a process says, and what it keeps to itself."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from server.logs import SAME_LINES_EVERY, SAME_LINES_MAX, Sparing

SECRET = "token-of-a-service-that-nobody-may-read"
PROGRAM = f"""
import logging
from server.logs import configure_logs

configure_logs(level="info", form="json")
try:
    b"\\xff".decode()
except UnicodeDecodeError:
    logging.getLogger("grpc._cython.cygrpc").exception("Nobody reads %s", b"{SECRET}")
try:
    raise ValueError("{SECRET}")
except ValueError:
    logging.getLogger("asyncio").exception("a task failed\\nfuture: exception='{SECRET}'")
logging.getLogger("asyncio").info("chatter")
"""


def test_libraries_speak_in_our_form_and_without_what_callers_sent() -> None:
    """A token would stand in the log of every server that met a broken header."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert ran.stderr == ""
    assert SECRET not in ran.stdout
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(each["level"], each["logger"], each["said"], each["fault"]) for each in lines] == [
        ("error", "grpc._cython.cygrpc", "Nobody reads %s", "UnicodeDecodeError"),
        ("error", "asyncio", "a task failed", "ValueError"),
    ]
    assert all("<string>" in each["stack"] for each in lines)


def test_what_a_library_says_again_and_again_is_left_out() -> None:
    """A stranger could fill the disk, and the process's time, with what is said of their calls."""
    sparing = Sparing()

    def says(message: str, name: str = "asyncio", at: float = 0.0) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, (), None)
        record.created = at
        return sparing.filter(record)

    said = [says("again") for _ in range(SAME_LINES_MAX + 2)]
    assert said == [True] * SAME_LINES_MAX + [False] * 2
    assert says("another")
    assert says("again", at=SAME_LINES_EVERY + 1)
    assert not says("Invalid encoding on %s", name="grpc._cython.cygrpc")
