"""Stands in for `python -m server` where a test is about the stack and not about the server.

    stand_in_server.py migrate | serve | work

`serve` takes connections on GUERDON_LISTEN_PORT and says nothing. What STAND_IN_FAILS names
ends with an error instead.
"""

from __future__ import annotations

import os
import signal
import socket
import sys


def main(subcommand: str) -> None:
    database = os.environ["GUERDON_DATABASE_URL"].rpartition("@")[2]
    sys.stdout.write(f"{subcommand} runs on {database}\n")
    sys.stdout.flush()
    if os.environ.get("STAND_IN_FAILS") == subcommand:
        sys.exit(f"{subcommand} is told to fail")
    if subcommand == "serve":
        listener = socket.create_server(
            (os.environ["GUERDON_LISTEN_HOST"], int(os.environ["GUERDON_LISTEN_PORT"]))
        )
        listener.listen()
    if subcommand in {"serve", "work"}:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
