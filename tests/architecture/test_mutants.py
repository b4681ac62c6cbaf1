"""The lists of mutants are about the code as it is."""

from __future__ import annotations

from tests.support.files import ROOT
from tests.support.lints import assert_none
from tools.mutants import read_mutants


def test_each_changes_a_line_that_is_there_and_names_tests_that_are() -> None:
    """`make mutants` would stop before it has tried any."""
    assert_none(
        f"{mutant.name}: {test}"
        for mutant in read_mutants()
        for test in mutant.tests
        if not (ROOT / test.partition("::")[0]).exists()
    )
