"""Collects what is wrong with what somebody sent, so that all of it is told at once."""

from __future__ import annotations

from typing import Self

from vocabulary.errors import DomainError

PROBLEMS_MAX = 10


class Problems:
    """What is wrong with the fields of one request; nothing at first.

    The first refusal lends its reason to all: a caller reads one reason, and every field.
    """

    def __init__(self) -> None:
        self._first: DomainError | None = None
        self._told: dict[str, str] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many are known, told or not."""
        return self._count

    def add(self, refusal: DomainError) -> None:
        """Adds what a refusal says of fields. Of each field the first problem is told."""
        if self._first is None:
            self._first = refusal
        for path, problem in refusal.violations:
            if path not in self._told:
                self._count += 1
                if len(self._told) < PROBLEMS_MAX:
                    self._told[path] = problem

    def blames_inside(self, path: str) -> bool:
        """Whether something is wrong with the field at the path, or inside it."""
        return any(told == path or told.startswith((f"{path}.", f"{path}[")) for told in self._told)

    def collecting(self) -> Self:
        """A block: a refusal of a field that is raised inside is kept, and ends only the block."""
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, raised: BaseException | None, __: object) -> bool:
        if isinstance(raised, DomainError) and raised.violations:
            self.add(raised)
            return True
        return False

    def refuse(self) -> None:
        """Ends the call, if anything is wrong.

        Raises:
            DomainError: the first refusal, which tells of all fields now.
        """
        if self._first is None:
            return
        self._first.violations = tuple(self._told.items())
        self._first.has_more = self._count > PROBLEMS_MAX
        raise self._first
