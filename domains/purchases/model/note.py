"""What was left out of a delivery that was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

NOTES_MAX = 20
"""How many notes a delivery keeps. The last of them says that there were more."""


class NoteWord(StrEnum):
    """What happened to a part of a report."""

    LEFT_OUT = "left_out"
    CUT = "cut"
    ROUNDED = "rounded"
    TAKEN_AS_ONE = "taken_as_one"
    TAKEN_AS_RECEIPT = "taken_as_receipt"
    NAMES_NOBODY = "names_nobody"
    SUBTOTAL_UNKNOWN = "subtotal_unknown"
    MORE = "more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A word about a field. `field` is its path in the body; empty: all of it."""

    word: NoteWord
    field: str

    def to_document(self) -> dict[str, str]:
        """As it is stored."""
        return {"word": self.word.value, "field": self.field}

    @classmethod
    def from_document(cls, document: dict[str, str]) -> Self:
        return cls(word=NoteWord(document["word"]), field=document["field"])


@dataclass(slots=True)
class Notes:
    """Collects notes, as many as are kept."""

    _notes: list[Note] = field(default_factory=list)

    def add(self, word: NoteWord, path: str = "") -> None:
        if len(self._notes) < NOTES_MAX - 1:
            self._notes.append(Note(word=word, field=path))
        elif len(self._notes) < NOTES_MAX:
            self._notes.append(Note(word=NoteWord.MORE, field=""))

    def __iter__(self) -> Iterator[Note]:
        return iter(self._notes)
