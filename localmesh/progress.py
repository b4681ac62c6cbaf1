"""What a stack reports while it starts and runs, and how that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class PartState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class Reporter(Protocol):
    """Is called with what becomes of the parts of a stack."""

    def part(self, name: str, state: PartState, note: str) -> None:
        """A part changed its state. `note` is an address or a reason, or empty."""

    def line(self, text: str) -> None:
        """Something happened after the start: a child died, or was started again."""

    def starting(self) -> AbstractContextManager[None]:
        """Held while the stack starts."""


class SilentReporter:
    """Passes on what went wrong, and nothing else."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def part(self, name: str, state: PartState, note: str) -> None:
        """Says nothing: a failure to start is raised."""

    def line(self, text: str) -> None:
        self._write(text)

    def starting(self) -> AbstractContextManager[None]:
        return nullcontext()


class LineReporter:
    """One line for each part that is ready: for logs and pipes."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._start_times: dict[str, float] = {}

    def part(self, name: str, state: PartState, note: str) -> None:
        now = time.monotonic()
        started = self._start_times.setdefault(name, now)
        if state is not PartState.STARTING:
            self._write(f"{name:<10} {state:<7} {now - started:5.1f} s  {note}".rstrip())

    def line(self, text: str) -> None:
        self._write(text)

    def starting(self) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass(slots=True, kw_only=True)
class _Part:
    state: PartState
    note: str
    start_time: float
    end_time: float | None = None


class TerminalReporter:
    """A table that fills in place while the stack starts; lines afterwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parts: dict[str, _Part] = {}

    @contextmanager
    def starting(self) -> Iterator[None]:
        # Eight times a second, for the clocks.
        with Live(get_renderable=self._table, console=self._console, refresh_per_second=8):
            yield

    def part(self, name: str, state: PartState, note: str) -> None:
        now = time.monotonic()
        part = self._parts.setdefault(name, _Part(state=state, note=note, start_time=now))
        part.state, part.note = state, note
        part.end_time = None if state is PartState.STARTING else now

    def line(self, text: str) -> None:
        self._console.print(text, style="yellow", highlight=False)

    def _table(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, part in self._parts.items():
            seconds = (part.end_time or time.monotonic()) - part.start_time
            table.add_row(
                _MARKS[part.state](),
                Text(name, style="bold"),
                Text(f"{seconds:.1f} s", style="dim"),
                Text(part.note),
            )
        return Group(table)


_SPINNER = Spinner("dots")
_MARKS: dict[PartState, Callable[[], Spinner | Text]] = {
    PartState.STARTING: lambda: _SPINNER,
    PartState.READY: lambda: Text("✓", style="green"),
    PartState.FAILED: lambda: Text("✗", style="red"),
}
