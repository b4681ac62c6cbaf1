"""The Python package, as somebody has it who installs it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from tests.support.files import project_files, source_of
from tests.support.installed import built_wheel, needed_by, packages_of, run

CALLER = """
from guerdon.campaign.v1.rate_pb2 import ExchangeRate
from guerdon.campaign.v1.rate_pb2_grpc import RateServiceStub

reveal_type(ExchangeRate().rate)
reveal_type(RateServiceStub.ListRates)
"""
PACKAGES = ("localmesh", "server", "orchestration", "domains", "infrastructure", "vocabulary")
SECONDS = 120


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_what_is_read_at_run_time_and_nothing_else(wheel: Path) -> None:
    """A file that is read beside the code would be missing where no checkout is."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    ours = [name for name in names if ".dist-info/" not in name]

    files = project_files()
    packaged = [str(path) for path in files if path.parts[0] in PACKAGES]
    generated = [str(path.relative_to("gen")) for path in files if path.parts[0] == "gen"]
    assert sorted(ours) == sorted(packaged + generated)
    assert "LICENSE" in {Path(name).name for name in set(names) - set(ours)}


def locked(path: str) -> dict[str, tuple[str, str]]:
    """The version and hashes that a lock has of each distribution for this platform."""
    found: dict[str, tuple[str, str]] = {}
    for block in re.split(r"\n(?=\S)", source_of(Path(path)).strip()):
        line, *hashes = re.findall(r"[^\n\\]*[^\n\\ ]", re.sub(r"\n +#.*", "", block))
        pinned, _, marker = line.partition(" ; ")
        name, _, version = pinned.partition("==")
        if not marker or Marker(marker).evaluate():
            found[name] = (version, "".join(sorted(hashes)))
    return found


def test_what_hosts_install_is_what_is_tested() -> None:
    """A server would run with another version, or carry what only builds it. Run `make lock`."""
    tested = locked("requirements.lock")
    for lock, asked in (("server.lock", "guerdon"), ("envoy.lock", "guerdon[envoy]")):
        there = locked(lock)
        assert set(there) == needed_by(Requirement(asked)) - {"guerdon"}
        for name, (version, hashes) in there.items():
            assert (version, hashes) == tested[name], name
            assert version == importlib.metadata.version(name)
            assert "sha256:" in hashes


@pytest.mark.timeout(SECONDS)
def test_whoever_installs_the_package_has_typed_stubs(wheel: Path, tmp_path: Path) -> None:
    """Type checkers pass over an installed package that does not say it is typed."""
    environment = tmp_path / "environment"
    venv.create(environment)
    packages = packages_of(environment)
    with ZipFile(wheel) as archive:
        archive.extractall(packages)
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
