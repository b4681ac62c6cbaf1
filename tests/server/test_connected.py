"""How processes are known by their connections."""

from __future__ import annotations

import os

from server.connected import process_label, read_process_label


def test_a_process_is_found_again_by_its_label() -> None:
    """Whoever reads pg_stat_activity could not tell whose connection it is."""
    label = process_label("work")

    cut, whole = read_process_label(label[:63]), read_process_label(label)
    assert cut is not None
    assert cut.kind == "work"
    assert whole is not None
    assert whole.name.startswith(f"{os.getpid()}@")
    assert whole.marks == ()
    assert read_process_label("psql") is None
