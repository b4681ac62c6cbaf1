"""The repository works on any machine, for anybody."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.files import ROOT, project_files
from tests.support.lints import assert_none

# The folder of somebody's home or checkout, at the beginning of a path.
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:root|home|Users|work|mnt|workspace|builds)\b")
# Where packages come from is whoever installs them's business.
REGISTRY = re.compile(
    r"files\.python(?:hosted)|py(?:pi)\.org/simple|https?://[^\s\"']*(?:/simple\b|artifactory|nexus)"
    r"|^\s*--(?:extra-)?index-url|^\s*--find-links|^\s*--trusted-host",
    re.MULTILINE,
)
BINARY = {".binpb", ".png", ".ico", ".gz"}
TEXTS = [path for path in project_files() if path.suffix not in BINARY]


def test_a_file_names_no_machine_and_no_registry() -> None:
    """It would fail, or be of no use, anywhere else."""
    own = re.compile(re.escape(str(ROOT)))
    assert_none(
        f"{path}: {found[0]}"
        for path in TEXTS
        for text in [(ROOT / path).read_text(encoding="utf-8")]
        for pattern in (MACHINE_PATH, REGISTRY, own)
        if (found := pattern.search(text))
    )


def test_every_file_is_looked_at() -> None:
    """The patterns above would look at nothing."""
    assert {Path("README.md"), Path("requirements.lock"), Path("Makefile")} <= set(TEXTS)
    slash = "/"
    assert MACHINE_PATH.search(f"see '{slash}home/somebody/project'")
    assert MACHINE_PATH.search(f"cd {slash}root/project")
    assert not MACHINE_PATH.search("https://shop.example/home/page")
    # Not spelled out here either.
    assert REGISTRY.search("https://py" + "pi.org/simple/click")
    assert REGISTRY.search(f"{'-' * 2}index-url something")
    assert REGISTRY.search(f"https:{slash}/registry.example/simple")
