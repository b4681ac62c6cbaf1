"""What a process says, and what it keeps to itself."""

from __future__ import annotations

import json
import subprocess
import sys

SECRET = "token-of-a-service-that-nobody-may-read"
PROGRAM = f"""
import logging
from server.logs import configure_logs

configure_logs(level="info", form="json")
try:
    b"\\xff".decode()
except UnicodeDecodeError:
    logging.getLogger("grpc._cython.cygrpc").exception("Invalid encoding on %s", b"{SECRET}")
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
        ("error", "grpc._cython.cygrpc", "Invalid encoding on %s", "UnicodeDecodeError"),
        ("error", "asyncio", "a task failed", "ValueError"),
    ]
    assert all("<string>" in each["stack"] for each in lines)
