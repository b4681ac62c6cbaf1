"""A refusal that several packages need is raised in one place, which all of them call."""

from __future__ import annotations

import ast

from tests.support.files import files_of, tree_of
from vocabulary.refusals import SharedError

LAYERS = ("localmesh", "server", "orchestration", "domains", "infrastructure", "vocabulary")


def raised_in(tree: ast.AST) -> list[str]:
    """The names of what is raised, with arguments or without."""
    raised = [each.exc for each in ast.walk(tree) if isinstance(each, ast.Raise)]
    called = [each.func if isinstance(each, ast.Call) else each for each in raised]
    return [each.id for each in called if isinstance(each, ast.Name)]


def test_shared_refusals_are_raised_once() -> None:
    """One caller would be refused in other words, or for another reason, than the next."""
    shared = {each.__name__ for each in SharedError.__subclasses__()}
    places: dict[str, list[str]] = {name: [] for name in shared}
    for path in files_of(*LAYERS):
        for name in raised_in(tree_of(path)):
            if name in shared:
                places[name].append(str(path))
    assert {name: found for name, found in places.items() if len(found) != 1} == {}
