"""Files that only their owner reads: tokens, keys, passwords, the state of a stack."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_owner_only(path: Path, text: str) -> None:
    """Writes a file with mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # The mode is given at creation: there is no moment at which others could open it.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def make_owner_only_folder(path: Path) -> None:
    """A folder with mode 0700, also if it is there with another one."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def keep_or_make(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file; the first call makes it and keeps it there."""
    try:
        kept = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        kept = ""
    if kept:
        # Copied or restored files lose their mode; a secret takes it back.
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return kept
    made = make()
    write_owner_only(path, made + "\n")
    return made
