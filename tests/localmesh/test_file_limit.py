from __future__ import annotations

import subprocess
import sys

import pytest

from localmesh.file_limit import connections_max
from server.edge.command_line import OWN_FILES
from tests.support.files import ROOT

# In a process of its own: a hard limit cannot be raised again.
RAISE = """
import resource, sys
from localmesh.file_limit import raise_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(256, 1024), (1024, 1024), (64, 4000)])
def test_the_soft_limit_becomes_the_hard_one(soft: int, hard: int) -> None:
    """A thousand idle connections would silence a host that could carry twenty thousand."""
    told = subprocess.run(
        [sys.executable, "-c", RAISE, str(soft), str(hard)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert told.stdout.split() == [str(hard)] * 3


@pytest.mark.parametrize("files", [0, 64, 256, 1024, 4096, 20_000, 1 << 20])
def test_connections_find_files(files: int) -> None:
    """Envoy would accept what it has no file for, at all of one core and with no answer."""
    found = connections_max(files, wanted=20_000)

    assert 0 < found <= 20_000
    if files > OWN_FILES:
        assert found + OWN_FILES <= files


def test_the_usual_limit_is_what_is_documented() -> None:
    """The page about settings would tell other numbers."""
    assert connections_max(1024, wanted=20_000) == 924
