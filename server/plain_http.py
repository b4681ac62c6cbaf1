"""One HTTP request to a part of a mesh on this host. Blocks, two seconds at most; asks no proxy."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit, urlunsplit

TIMEOUT_SECONDS = 2


def get(url: str) -> tuple[int, bytes]:
    """The status and the body of an answer.

    Raises:
        OSError: nobody answers there.
        http.client.HTTPException: what answers does not speak HTTP.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None, url
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    return ask(connection, "GET", urlunsplit(("", "", *parts[2:])))


def ask(connection: http.client.HTTPConnection, verb: str, path: str) -> tuple[int, bytes]:
    """The same, on a connection that is closed afterwards."""
    try:
        connection.request(verb, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
