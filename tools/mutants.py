"""Breaks one line of the money path at a time and sees whether a test is red. `make mutants`.

The lists are in tools/mutants/*.toml. Each mutant is tried in a copy of the tree, two at a time.
One that no test notices survives; the known ones are named in tools/mutants_surviving.md, each
with the input that shows why it changes nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

TREE = Path(__file__).resolve().parent.parent
LISTS = TREE / "tools" / "mutants"
SURVIVING = TREE / "tools" / "mutants_surviving.md"
AT_ONCE = 2
TEST_SECONDS_MAX = 90
RUN_SECONDS_MAX = 600
STOP_SECONDS_MAX = 10
PASSED, FAILED = 0, 1
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "docs", "examples")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one line, and the tests that ought to notice it.

    `area` is the list that names it. `occurrence` says which of several equal texts is changed,
    the first one being 1.
    """

    area: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    occurrence: int | None = None

    def change(self, text: str) -> str:
        """The file's text with the change made."""
        before, *after = text.split(self.old)
        if len(after) != 1 and self.occurrence is None:
            sys.exit(f"{self.name}: {self.file} has {len(after)} times: {self.old}")
        place = self.occurrence or 1
        if not 1 <= place <= len(after):
            sys.exit(f"{self.name}: {self.file} has {len(after)} times, not {place}: {self.old}")
        parts = [before, *after]
        return self.old.join(parts[:place]) + self.new + self.old.join(parts[place:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a mutant. `is_sound`: its tests could be run."""

    mutant: Mutant
    survived: bool
    is_sound: bool
    said: str
    seconds: float

    def __str__(self) -> str:
        word = "BROKEN" if not self.is_sound else "SURVIVED" if self.survived else "KILLED"
        return f"{word:8} {self.seconds:4.0f} s  {self.mutant.name}  {self.said}".rstrip()


def read_mutants() -> list[Mutant]:
    """All mutants. A list's own `tests` are those of the mutants that name none."""
    mutants = []
    for path in sorted(LISTS.glob("*.toml")):
        document = tomllib.loads(path.read_text())
        for entry in document["mutant"]:
            tests = tuple(entry.pop("tests", document["tests"]))
            mutants.append(Mutant(**entry, area=path.stem, tests=tests))
    twice = [name for name, count in Counter(each.name for each in mutants).items() if count > 1]
    if twice:
        sys.exit(f"named twice: {', '.join(twice)}")
    for mutant in mutants:
        mutant.change((TREE / mutant.file).read_text())
    return mutants


def read_surviving() -> set[str]:
    """The names of mutants that are known to change nothing: the headings of the file."""
    lines = SURVIVING.read_text().splitlines()
    return {line.removeprefix("## ").strip() for line in lines if line.startswith("## ")}


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Path]]:
    """Copies of the tree to break, without what is not needed to run tests."""
    with tempfile.TemporaryDirectory(prefix="guerdon-mutants-") as folder:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(count):
            copy = Path(folder) / f"tree-{number}"
            shutil.copytree(TREE, copy, ignore=_LEFT_OUT)
            free.put(copy)
        yield free


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int | None, str]:
    """Runs tests in a copy: pytest's exit code, None if it took too long, and what it said."""
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS_MAX}"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree,
        # The copy comes before whatever is installed.
        env={**os.environ, "PYTHONPATH": f"{tree}:{tree / 'gen'}", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            said, _ = running.communicate(timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return None, stop_tests(running)
        return running.returncode, said


def stop_tests(running: subprocess.Popen[str]) -> str:
    """Stops tests that took too long, also those that hear nothing: what they said."""
    os.killpg(running.pid, signal.SIGINT)
    try:
        said, _ = running.communicate(timeout=STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        # Inside a call of C no handler of Python's runs.
        os.killpg(running.pid, signal.SIGKILL)
        said, _ = running.communicate()
    return said


def try_mutant(mutant: Mutant, free: SimpleQueue[Path]) -> Verdict:
    """Changes a free copy, runs the mutant's tests there, and changes it back."""
    tree = free.get()
    path = tree / mutant.file
    text = path.read_text()
    begin = time.monotonic()
    try:
        path.write_text(mutant.change(text))
        code, said = run_tests(tree, mutant.tests)
    finally:
        path.write_text(text)
        free.put(tree)
    verdict = Verdict(
        mutant=mutant,
        survived=code == PASSED,
        is_sound=code in {PASSED, FAILED, None},
        said="" if code == PASSED else "took too long" if code is None else _failure_in(said),
        seconds=time.monotonic() - begin,
    )
    print(verdict, flush=True)
    return verdict


def _failure_in(said: str) -> str:
    """The first test that pytest names at its end, else the last line."""
    lines = said.rpartition("short test summary info")[2].splitlines()
    named = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return (named or lines[-1:] or [""])[0].partition(" - ")[0]


def main() -> int:
    """Tries a list's mutants, or those whose file or name contain the argument; else all."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    everything = read_mutants()
    surviving = read_surviving()
    unknown = surviving - {each.name for each in everything}
    if unknown:
        sys.exit(f"{SURVIVING.name} names what is not listed: {', '.join(sorted(unknown))}")
    mutants = [each for each in everything if each.area == only] or [
        each for each in everything if only in f"{each.file} {each.name}"
    ]
    if not mutants:
        sys.exit(f"no mutant's list, file or name contains: {only}")
    with copies(AT_ONCE) as free, ThreadPoolExecutor(AT_ONCE) as pool:
        tests = sorted({test for each in mutants for test in each.tests})
        tree = free.get()
        code, said = run_tests(tree, tests)
        free.put(tree)
        if code != PASSED:
            sys.exit(f"without any mutant, not every test is green:\n{said}")
        verdicts = list(pool.map(lambda each: try_mutant(each, free), mutants))
    return summarize(verdicts, surviving)


def summarize(verdicts: Sequence[Verdict], surviving: set[str]) -> int:
    """Says what became of all; 1 if there is something to do."""
    names = {each.mutant.name for each in verdicts}
    survived = {each.mutant.name for each in verdicts if each.survived}
    broken = {each.mutant.name for each in verdicts if not each.is_sound}
    files = {each.mutant.file for each in verdicts}
    print(
        f"\n{len(verdicts)} mutants in {len(files)} files: "
        f"{len(names - survived - broken)} killed, {len(survived)} survived"
    )
    for title, some in (
        ("survive and are known", survived & surviving),
        ("SURVIVE", survived - surviving),
        ("CANNOT BE TRIED", broken),
        ("are said to survive and do not", (surviving & names) - survived),
    ):
        for name in sorted(some):
            print(f"  {title}: {name}")
    return 1 if survived - surviving or broken or (surviving & names) - survived else 0


if __name__ == "__main__":
    sys.exit(main())
