"""Statements that stand in `.sql` files, beside the Python that sends them.

They are Jinja templates, so that one file may hold the variants of a statement, and parts that
several statements share are macros with named arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import TextClause, text

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the packages: a file names another one, whose macros it imports, from here."""

_FILES = Environment(
    loader=FileSystemLoader(ROOT),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - it is SQL, and holds constants of the code alone
)


def sql_file(beside: str, name: str, **constants: object) -> TextClause:
    """The statement in a file of the folder of `beside`, which is the `__file__` of a module.

    It is rendered once, when the module is imported. `constants` are what the code knows then:
    limits, the words of an enum, which variant. What a call brings is always bound.
    """
    path = Path(beside).resolve().with_name(name).relative_to(ROOT)
    return text(_FILES.get_template(path.as_posix()).render(constants))


def quoted(words: Iterable[str]) -> str:
    """Words of an enum as a list of SQL. They are constants of the code, so that a plan is kept."""
    return ", ".join(f"'{word}'" for word in words)
