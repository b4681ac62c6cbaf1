"""The project as somebody has it who installs it: its wheel, and an environment without a checkout.

Nothing is asked of a registry: what the wheel needs is taken from the environment of the tests.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.files import ROOT

PROJECT = "guerdon"
SECONDS_MAX = 60
_LEFT_OUT = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )


def built_wheel(folder: Path) -> Path:
    """Built from a copy: building leaves files behind."""
    shutil.copytree(ROOT, folder / "project", ignore=_LEFT_OUT, symlinks=True)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    built = run(sys.executable, "-m", "pip", "wheel", *options, "./project", cwd=folder)
    assert built.returncode == 0, built.stderr
    [wheel] = folder.glob("*.whl")
    return wheel


def packages_of(environment: Path) -> Path:
    """The folder of a virtual environment that packages are in."""
    scheme = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("purelib", "venv", scheme))


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment with the wheel, an empty folder to type commands in, and its size.

    `size` is how many bytes an installer writes.
    """

    folder: Path
    elsewhere: Path
    size: int

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def start(self, *words: str, settings: dict[str, str]) -> subprocess.Popen[str]:
        """Types a command of the project."""
        kept = {name: value for name, value in os.environ.items() if "GUERDON" not in name}
        kept.pop("PYTHONPATH", None)
        return subprocess.Popen(
            [self.programs / PROJECT, *words],
            cwd=self.elsewhere,
            env={**kept, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, *words: str, settings: dict[str, str] | None = None) -> tuple[int, str]:
        """How a command ended, and what it said."""
        with self.start(*words, settings=settings or {}) as process:
            output, problems = process.communicate(timeout=SECONDS_MAX)
        return process.returncode, output + problems


def install(folder: Path, *, extras: str = "") -> Environment:
    """What `pip install 'guerdon[extras]'` makes of the wheel, in a new virtual environment."""
    environment, elsewhere = folder / "environment", folder / "elsewhere"
    elsewhere.mkdir()
    venv.create(environment, symlinks=True)
    needed = needed_by(Requirement(f"{PROJECT}[{extras}]")) - {PROJECT}
    size = sum(_link(name, environment) for name in sorted(needed | {"pip"}))
    wheel = built_wheel(folder)
    options = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")
    python = environment / "bin" / "python"
    done = run(python, "-m", "pip", "install", *options, wheel, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    return Environment(
        folder=environment, elsewhere=elsewhere, size=size + _size_of(packages_of(environment))
    )


def needed_by(asked: Requirement) -> set[str]:
    """A distribution and all that it needs, extras left out where nothing asks for them."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [asked]
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        environments = [{"extra": extra} for extra in ("", *requirement.extras)]
        for text in importlib.metadata.requires(requirement.name) or ():
            each = Requirement(text)
            if each.marker is None or any(map(each.marker.evaluate, environments)):
                waiting.append(each)
    return {name for name, _ in found}


def _link(distribution: str, environment: Path) -> int:
    """Puts a distribution of this environment into another one; says how large it is."""
    packages = packages_of(environment)
    size = 0
    for file in importlib.metadata.distribution(distribution).files or ():
        path = Path(str(file.locate()))
        if path.suffix == ".pyc" or not path.exists():
            continue
        link = Path(os.path.normpath(packages / file))
        _link_file(link, path)
        size += path.stat().st_size
        # Compiled before, which saves each process seconds.
        compiled = Path(cache_from_source(str(path)))
        if path.suffix == ".py" and compiled.exists():
            _link_file(Path(cache_from_source(str(link))), compiled)
    return size


def _link_file(link: Path, path: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path)


def _size_of(folder: Path) -> int:
    """Of the files that are its own, and not of those that only a link leads to."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)
