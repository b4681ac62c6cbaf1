"""The files of the project, as tests of the house look at them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = "gen"


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that belongs to the project, relative to its root; what git ignores does not."""
    ignored = [*(ROOT / ".gitignore").read_text(encoding="utf-8").split(), ".git"]
    patterns = [pattern.strip("/") for pattern in ignored]

    def belongs(name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in patterns)

    def walk() -> Iterator[Path]:
        for folder, folders, files in os.walk(ROOT):
            folders[:] = sorted(filter(belongs, folders))
            yield from (Path(folder, name).relative_to(ROOT) for name in filter(belongs, files))

    return tuple(sorted(walk()))


@cache
def python_files() -> tuple[Path, ...]:
    """Every Python file that people write."""
    return tuple(
        path for path in project_files() if path.suffix == ".py" and path.parts[0] != GENERATED
    )


def files_of(*rooms: str) -> list[Path]:
    """The Python files below the rooms."""
    return [path for path in python_files() if path.parts[0] in rooms]


@cache
def source_of(path: Path) -> str:
    """The text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """A Python file, parsed."""
    return ast.parse(source_of(path))


def texts_of(path: Path) -> Iterator[str]:
    """Every text constant of a Python file, docstrings included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
