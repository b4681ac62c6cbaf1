"""The Python package, as somebody has it who installs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.files import ROOT

LEFT_OUT = (".*", "tests", "bench", "examples", "docs", "build", "*.egg-info", "__pycache__")
CALLER = """
from guerdon.campaign.v1.rate_pb2 import ExchangeRate
from guerdon.campaign.v1.rate_pb2_grpc import RateServiceStub

reveal_type(ExchangeRate().rate)
reveal_type(RateServiceStub.ListRates)
"""
SECONDS = 120


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=SECONDS
    )


def wheel_of_the_project(folder: Path) -> Path:
    """Built from a copy: building leaves files behind."""
    shutil.copytree(ROOT, folder / "project", ignore=shutil.ignore_patterns(*LEFT_OUT))
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    built = run(sys.executable, "-m", "pip", "wheel", *options, "./project", cwd=folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


def packages_of(environment: Path) -> Path:
    scheme = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("purelib", "venv", scheme))


@pytest.mark.timeout(SECONDS)
def test_whoever_installs_the_package_has_typed_stubs(tmp_path: Path) -> None:
    """Type checkers pass over an installed package that does not say it is typed."""
    environment = tmp_path / "environment"
    venv.create(environment)
    packages = packages_of(environment)
    with ZipFile(wheel_of_the_project(tmp_path)) as wheel:
        wheel.extractall(packages)
    # The types of gRPC and protobuf, which a caller installs beside it.
    for name in ("google-stubs", "grpc-stubs"):
        shutil.copytree(Path(sysconfig.get_path("purelib")) / name, packages / name)
    caller = tmp_path / "caller.py"
    caller.write_text(CALLER, encoding="utf-8")

    checked = run(
        Path(sys.executable).parent / "mypy",
        "--strict",
        f"--python-executable={environment / 'bin' / 'python'}",
        f"--cache-dir={tmp_path / 'cache'}",
        caller,
        cwd=tmp_path,
    )

    assert checked.returncode == 0, checked.stdout
    assert 'Revealed type is "str"' in checked.stdout
    assert "ListRatesRequest, " in checked.stdout
