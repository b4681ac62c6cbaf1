"""Files and functions that can be read at one sitting, under names that say what is inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.files import project_files, python_files, source_of, tree_of

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
LINES_MAX = {
    "errors": 120,
    "model": 300,
    "tables": 150,
    "repository": 300,
    "service": 300,
    "servicer": 250,
    "ports": 80,
}
"""The parts of a domain. A part may be a folder; then the limit holds for each of its files."""

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
NAMES_THAT_SAY_NOTHING |= {"manager", "managers", "shared", "lib", "stuff", "tools_"}
# A migration is written once and read in order.
HISTORY = Path("infrastructure/database/migrations/versions")

FILES = python_files()
every_file = pytest.mark.parametrize("path", FILES, ids=str)


def limit_of(path: Path) -> int:
    """How many lines a file may have."""
    if path.parts[0] != "domains" or len(path.parts) < 3:
        return FILE_LINES_MAX
    return LINES_MAX.get(Path(path.parts[2]).stem, FILE_LINES_MAX)


def lines_of(path: Path) -> int:
    return len(source_of(path).splitlines())


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@every_file
def test_a_file_fits_the_house(path: Path) -> None:
    """Nobody would read it before changing it."""
    if not path.is_relative_to(HISTORY):
        assert lines_of(path) <= limit_of(path), "make it a folder of the same name"


@every_file
def test_a_function_fits_the_screen(path: Path) -> None:
    """Nobody would see its end while changing its beginning."""
    if path.is_relative_to(HISTORY):
        return
    for function in functions(tree_of(path)):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= FUNCTION_LINES_MAX, f"{function.name} is {length} lines long"


@pytest.mark.parametrize("path", project_files(), ids=str)
def test_a_name_says_what_is_inside(path: Path) -> None:
    """Everything could be put there, and everything would be."""
    names = {Path(part).stem.lower() for part in path.parts}
    assert not names & NAMES_THAT_SAY_NOTHING


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] == "tests"], ids=str)
def test_a_test_says_what_would_be_broken(path: Path) -> None:
    """Whoever meets the failing test would not know what it is good for."""
    for function in functions(tree_of(path)):
        if function.name.startswith("test_"):
            assert ast.get_docstring(function), function.name


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] == "tests"], ids=str)
def test_a_test_that_cannot_run_fails(path: Path) -> None:
    """What is skipped is not tested, and nobody notices."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"skip", "skipif", "importorskip", "xfail"}, node.lineno
