"""The lint that keeps arithmetic on amounts in one module."""

from __future__ import annotations

from pathlib import Path

from mypy import api

from tests.support.files import ROOT

REFUSED = (
    "a + b",
    "a * 2",
    "2 - a",
    "b -= a",
    "sum((a, b), Decimal(0))",
    "sum(each for each in (a, b))",
    "a.quantize(b)",
)
ALLOWED = ("1 + 2", "sum([1, 2])", "a < b", "max(a, b)", "int(a)", "str(a) + str(b)", "total([a])")


def test_operators_on_amounts_are_refused_and_nothing_else(tmp_path: Path) -> None:
    """A sum of lines would lose its last digits in Python's default context."""
    lines = ["from decimal import Decimal", "from vocabulary.exact import total"]
    lines += ["a, b = Decimal(1), Decimal(2)", *ALLOWED, *REFUSED]
    module = tmp_path / "amounts.py"
    module.write_text("\n".join(lines), encoding="utf-8")

    output, errors, _ = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", str(module)]
    )

    assert not errors, errors
    refused = {lines[int(line.split(":")[1]) - 1] for line in output.splitlines()}
    assert refused == set(REFUSED), output
