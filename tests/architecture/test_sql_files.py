"""Statements stand where tools read them: long ones in `.sql` files, beside who sends them."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, meta

from tests.support.files import ROOT, files_of, project_files, source_of, tree_of

LINES_MAX = 15
FILE_LINES_MAX = 400
DOMAIN_FILE_LINES_MAX = 300
LAYERS = ("localmesh", "server", "orchestration", "domains", "infrastructure")
HISTORY = Path("infrastructure/database/migrations")

PYTHON = [path for path in files_of(*LAYERS) if not path.is_relative_to(HISTORY)]
SQL = [path for path in project_files() if path.suffix == ".sql" and path.parts[0] in LAYERS]

_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b")
_IMPORT = re.compile(r'\{% from "([^"]+)" import')


def texts(tree: ast.AST) -> Iterator[tuple[ast.Constant | ast.JoinedStr, str]]:
    """Each text of a module with what is constant in it, but docstrings."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(node, ast.Expr | ast.JoinedStr):
                continue
            if isinstance(child, ast.Constant) and isinstance(child.value, str):
                yield child, child.value
            elif isinstance(child, ast.JoinedStr):
                parts = (part for part in child.values if isinstance(part, ast.Constant))
                yield child, " ".join(str(part.value) for part in parts)


def long_statements(source: str) -> Iterator[str]:
    """The statements in Python that ought to be files, each with its line."""
    for node, text in texts(ast.parse(source)):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > LINES_MAX and _SQL.search(text):
            yield f"{node.lineno}: {lines} lines"


def used_files() -> Iterator[tuple[Path, Path]]:
    """Each `.sql` file that Python or another one names, after who names it."""
    for path in PYTHON:
        for node in ast.walk(tree_of(path)):
            match node:
                case ast.Call(func=ast.Name(id="sql_file"), args=[_, ast.Constant(value=name)]):
                    yield path, path.with_name(str(name))
    for path in SQL:
        for name in _IMPORT.findall(source_of(path)):
            yield path, Path(name)


def test_a_long_statement_is_a_file() -> None:
    """No tool would read it: neither the lint of SQL nor whoever runs it by hand."""
    found = [f"{path}:{each}" for path in PYTHON for each in long_statements(source_of(path))]
    assert not found, "\n".join(found)


def test_a_long_statement_is_found_in_whatever_text_it_is() -> None:
    """A test that sees no statement would be content with every one."""
    lines = "\n" * LINES_MAX
    for source in (
        f'A = """SELECT 1{lines}"""',
        f'A = text(f"""{{b}}{lines}DELETE FROM c""").columns()',
        f'def a():\n    return b(c="""WITH d AS{lines}""")',
    ):
        assert len(list(long_statements(source))) == 1, source
    assert not list(long_statements(f'"""SELECT is a word.{lines}"""'))
    assert not list(long_statements(f'A = """SELECT 1{lines[1:]}"""'))


def test_every_sql_file_is_used() -> None:
    """Whoever changes one that nobody sends would believe to have changed something."""
    assert len(SQL) > LINES_MAX
    used = {path for _, path in used_files()}
    assert used == set(SQL)


def test_a_sql_file_imports_what_its_layer_may() -> None:
    """A macro would bring another domain's tables in, where no import of Python shows it."""
    found = []
    for path, other in used_files():
        higher = LAYERS.index(other.parts[0]) < LAYERS.index(path.parts[0])
        foreign = path.parts[0] == other.parts[0] == "domains" and path.parts[1] != other.parts[1]
        if higher or foreign:
            found.append(f"{path} uses {other}")
    assert not found, "\n".join(found)


def test_a_sql_file_can_be_read_at_one_sitting() -> None:
    """Nobody would read it before changing it."""
    found = []
    for path in SQL:
        most = DOMAIN_FILE_LINES_MAX if path.parts[0] == "domains" else FILE_LINES_MAX
        lines = len(source_of(path).splitlines())
        if lines > most:
            found.append(f"{path}: {lines} lines")
    assert not found, "\n".join(found)


def test_the_lint_knows_what_python_passes_and_nothing_else() -> None:
    """It would read a statement with a hole in it, or hold a name that is long gone."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    known = settings["tool"]["sqlfluff"]["templater"]["jinja"]["context"]
    files = Environment(autoescape=False)
    asked = {
        name
        for path in SQL
        for name in meta.find_undeclared_variables(files.parse(source_of(path)))
    }
    assert asked == set(known)
