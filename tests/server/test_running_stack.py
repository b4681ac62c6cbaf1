"""A stack is found by its state file, and by whether it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from localmesh.state import write_state
from server.running_stack import RunningStack, read_running


@contextmanager
def answering(status: HTTPStatus) -> Iterator[str]:
    """Where every GET is answered so."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the library names it
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "is_found"),
    [
        (HTTPStatus.OK, True),
        # Several commands a second, typed by a script.
        (HTTPStatus.TOO_MANY_REQUESTS, True),
        (HTTPStatus.SERVICE_UNAVAILABLE, False),
    ],
)
def test_a_mesh_that_is_asked_too_often_runs(
    tmp_path: Path, status: HTTPStatus, is_found: bool
) -> None:
    """A script of commands would be told that no mesh runs, because it asked before."""
    with answering(status) as url:
        stack = RunningStack(
            pid=os.getpid(),
            public_url=url,
            mesh_url=url,
            mesh_address="",
            admin_sockets={},
            database_url="",
            service_token="",
            pids={},
        )
        write_state(tmp_path, stack)

        assert (read_running(tmp_path) is not None) == is_found
