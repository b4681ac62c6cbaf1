"""A real PostgreSQL for the tests: one a session, fast instead of durable, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localmesh.ports import PortWish, choose_ports
from localmesh.postgres import Postgres


@contextmanager
def start_test_postgres() -> Iterator[Postgres]:
    """An empty server on a port of its own. Takes half a second; so once a session.

    Make a database for each purpose with `CREATE DATABASE … TEMPLATE …`; `Postgres.url_of`
    says where it is.
    """
    folder = Path(tempfile.mkdtemp(prefix="guerdon-test-"))
    postgres = Postgres(folder=folder / "postgres", port=free_port(), durable=False)
    try:
        postgres.start()
        yield postgres
    finally:
        # At once: what it would write for its next start is thrown away. It takes seconds.
        pid = int((postgres.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        postgres.stop()
        shutil.rmtree(folder)


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    return choose_ports([PortWish(port=0)])[0]
