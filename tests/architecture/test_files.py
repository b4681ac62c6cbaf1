"""Files and functions that can be read at one sitting, under names that say what is inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.files import ROOT, files_of, project_files, python_files, source_of, tree_of
from tests.support.lints import assert_none

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


def limit_of(path: Path) -> int:
    """How many lines a file may have."""
    if path.parts[0] != "domains" or len(path.parts) < 3:
        return FILE_LINES_MAX
    return LINES_MAX.get(Path(path.parts[2]).stem, FILE_LINES_MAX)


def lines_of(path: Path) -> int:
    return len(source_of(path).splitlines())


def read_at_one_sitting() -> Iterator[Path]:
    """Every Python file but for the migrations."""
    return (path for path in python_files() if not path.is_relative_to(HISTORY))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_file_is_short() -> None:
    """Nobody would read it before changing it. Make it a folder of the same name."""
    assert_none(
        f"{path}: {lines_of(path)} lines, and {limit_of(path)} are allowed"
        for path in read_at_one_sitting()
        if lines_of(path) > limit_of(path)
    )


def test_a_function_fits_the_screen() -> None:
    """Nobody would see its end while changing its beginning."""
    assert_none(
        f"{path}:{function.lineno}: {function.name} is {length} lines long"
        for path in read_at_one_sitting()
        for function in functions(path)
        for length in [(function.end_lineno or 0) - function.lineno + 1]
        if length > FUNCTION_LINES_MAX
    )


def test_a_name_says_what_is_inside() -> None:
    """Everything could be put there, and everything would be."""
    assert_none(
        str(path)
        for path in project_files()
        if {Path(part).stem.lower() for part in path.parts} & NAMES_THAT_SAY_NOTHING
    )


def test_a_test_says_what_would_be_broken() -> None:
    """Whoever meets the failing test would not know what it is good for."""
    assert_none(
        f"{path}:{function.lineno}: {function.name} has no docstring"
        for path in files_of("tests")
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    )


def test_a_test_that_cannot_run_fails() -> None:
    """What is skipped is not tested, and nobody notices."""
    assert_none(
        f"{path}:{node.lineno}: {node.attr}"
        for path in files_of("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"skip", "skipif", "importorskip", "xfail"}
    )


def test_no_test_is_parametrized_over_files(request: pytest.FixtureRequest) -> None:
    """Thousands of items would be collected, sent and reported for what one test says."""
    assert_none(
        sorted(
            {
                f"{item.nodeid.partition('[')[0]}: {name}"
                for item in request.session.items
                if isinstance(item, pytest.Function) and hasattr(item, "callspec")
                for name, value in item.callspec.params.items()
                if is_of_the_project(value)
            }
        )
    )


def is_of_the_project(value: object) -> bool:
    """Whether it is a file or folder of the repository: its path, or its name with a suffix."""
    if not isinstance(value, Path | str):
        return False
    path = Path(value)
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path) in known_paths()


@cache
def known_paths() -> frozenset[Path]:
    names = {Path(file.name) for file in project_files() if file.suffix}
    folders = {folder for file in project_files() for folder in file.parents}
    # The name of a folder alone is a word like others.
    return frozenset({*project_files(), *names, *(each for each in folders if len(each.parts) > 1)})


def test_a_file_of_the_project_is_known_from_other_words() -> None:
    """The test above would be content with every parameter."""
    for known in ("Makefile", "tests/conftest.py", ROOT / "domains/campaign/model", "budget.py"):
        assert is_of_the_project(known), known
    for other in ("campaign", Path("of/another/project.py"), 7):
        assert not is_of_the_project(other), other
