"""Files that others depend on, held against what the code makes today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The golden files, and whether they are rewritten instead of compared."""

    is_rewritten: bool

    def holds(self, name: str, text: str) -> None:
        """Fails unless the file is the text."""
        path = FOLDER / name
        if self.is_rewritten:
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{name} is missing: run pytest tests/golden --update-golden"
        assert text == path.read_text(encoding="utf-8"), (
            f"{name} would change, and with it what others rely on. If that is meant, run "
            "pytest tests/golden --update-golden and review the difference."
        )

    def holds_folder(self, name: str, texts: Mapping[str, str]) -> None:
        """Fails unless the folder has these files and no other."""
        folder = FOLDER / name
        if self.is_rewritten:
            folder.mkdir(exist_ok=True)
            for path in folder.iterdir():
                if path.name not in texts:
                    path.unlink()
            for file, text in texts.items():
                (folder / file).write_text(text, encoding="utf-8")
        assert {path.name for path in folder.iterdir()} == set(texts)
        for file, text in texts.items():
            self.holds(f"{name}/{file}", text)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """The golden files."""
    return Golden(is_rewritten=request.config.getoption("--update-golden"))
