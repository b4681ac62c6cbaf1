"""Every statement that is written down in the code, as its module holds it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import TextClause

import domains
import infrastructure
import localmesh
import orchestration
import server

PACKAGES = (domains, infrastructure, localmesh, orchestration, server)


def module_statements() -> Iterator[tuple[str, ClauseElement]]:
    """Each statement at the top of a module, by the names of both.

    What modules of tables hold are the conditions of indexes.
    """
    for module in _modules():
        if ".tables" in module.__name__:
            continue
        for name, value in vars(module).items():
            if _is_statement(value):
                yield f"{module.__name__}.{name}", value


def _modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def _is_statement(value: object) -> bool:
    if isinstance(value, TextClause):
        return True
    is_statement = getattr(value, "is_dml", False) or getattr(value, "is_select", False)
    return isinstance(value, ClauseElement) and is_statement
