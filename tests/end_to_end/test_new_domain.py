"""A domain is added by the places that CONTRIBUTING.md lists, and is served."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.files import ROOT, source_of

NAME = "vouchers"
SECONDS_MAX = 240
PLACES_OF_RPC_MAX = 8
PLACES_OF_DOMAIN_MAX = 14

_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".guerdon", ".*_cache", ".hypothesis"),
    *("build", "dist", "*.egg-info", "__pycache__"),
)

SERVED = """        served(
            VoucherServicer(
                database=database, vouchers=domains.vouchers, clock=clock, new_id=new_id
            ),
            vouchers_pb2.DESCRIPTOR.services_by_name["VoucherService"],
        ),
"""
# What is done by hand: new lines, and a line that is there and that they are put in front of.
BY_HAND = {
    "server/wiring/domains.py": (
        ("from domains.vouchers.repository import VoucherRepository\n", "from infrastructure.keys"),
        ("from domains.vouchers.service import VoucherService\n", "from infrastructure.keys"),
        ("    vouchers: VoucherService\n", "\n\ndef build_domains"),
        (
            "        vouchers=VoucherService(vouchers=VoucherRepository()),\n",
            "        business=business",
        ),
    ),
    "server/wiring/services.py": (
        ("from domains.vouchers.servicer import VoucherServicer\n", "from guerdon.attribution"),
        ("from guerdon.vouchers.v1 import vouchers_pb2\n", "from infrastructure.database"),
        (SERVED, "        *_flow_services(flows),\n"),
    ),
}


def places(heading: str) -> list[str]:
    """The numbered places below a heading of CONTRIBUTING.md."""
    _, _, section = source_of(Path("CONTRIBUTING.md")).partition(f"## {heading}\n")
    return re.findall(r"^\d+\. (.+)$", section.partition("\n## ")[0], flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "most"),
    [("How to add an RPC", PLACES_OF_RPC_MAX), ("How to add a domain", PLACES_OF_DOMAIN_MAX)],
)
def test_little_has_to_be_touched(heading: str, most: int) -> None:
    """Each place more is one that somebody forgets."""
    assert 0 < len(places(heading)) <= most


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with a domain more."""
    folder = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT, symlinks=True)
    run(folder, "tools/new_domain.py", NAME)
    for path, changes in BY_HAND.items():
        text = (folder / path).read_text(encoding="utf-8")
        for new, behind in changes:
            assert behind in text
            text = text.replace(behind, new + behind, 1)
        (folder / path).write_text(text, encoding="utf-8")
    run(folder, "tools/gen.py")
    run(folder, "tools/bootstrap.py")
    # As `make format` does.
    run(folder, "-m", "ruff", "format", ".")
    run(folder, "-m", "ruff", "check", "--fix", ".")
    return folder


def run(folder: Path, *arguments: str) -> str:
    """Runs a script or a module of the copy with our interpreter; returns what it printed."""
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "gen")]),
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(SECONDS_MAX)
def test_the_new_domain_passes_the_lints(copy: Path) -> None:
    """Whoever begins would first have to find out how files look here."""
    run(copy, "-m", "ruff", "check", ".")
    run(copy, "-m", "mypy", "--no-incremental", f"domains/{NAME}", *BY_HAND)


@pytest.mark.timeout(SECONDS_MAX)
def test_the_new_domain_is_served(copy: Path) -> None:
    """What the steps, the tables and the contract's tests ask of it would not be known."""
    told = run(
        copy,
        *("-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-W", "error"),
        *(f"tests/domains/{NAME}", "tests/contract/test_services.py"),
        *("tests/contract/test_required_fields.py", "tests/contract/test_request_ids.py"),
        *("tests/contract/test_documentation.py", "tests/contract/test_names.py"),
        *("tests/contract/test_refusals.py", "tests/architecture"),
    )
    assert " passed" in told
