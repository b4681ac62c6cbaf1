"""Questions to a part of the stack. Each answer is what is still wrong; empty means nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
from pathlib import Path

from localmesh.ports import LOOPBACK
from server.edge.command_line import SOCKET_PATH_BYTES_MAX
from server.plain_http import TIMEOUT_SECONDS, ask, get

_BODY_CHARACTERS_MAX = 500


def problem_of_url(url: str) -> str:
    """Whether a GET is answered with 200. Blocks, two seconds at most; asks no proxy."""
    try:
        status, body = get(url)
    except (OSError, http.client.HTTPException) as problem:
        return f"GET {url} was not answered: {problem}"
    if status == http.HTTPStatus.OK:
        return ""
    return f"GET {url}: {status} {body[:_BODY_CHARACTERS_MAX].decode(errors='replace')}"


def problem_of_envoy(admin_socket: Path, port: int | None = None) -> str:
    """Whether an Envoy passes calls on to the server at a port of this host, or to any. Blocks."""
    path = "/clusters?format=json"
    try:
        _, body = read_admin(admin_socket, path)
        [cluster] = json.loads(body)["cluster_statuses"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
        return f"GET {path} at {admin_socket} was not answered: {problem!r}"
    is_healthy = {
        host["address"]["socket_address"]["port_value"]: not host["health_status"].get(
            "failed_active_health_check", False
        )
        for host in cluster.get("host_statuses", ())
    }
    if port is None:
        return "" if any(is_healthy.values()) else f"{admin_socket} finds no server healthy yet"
    if port not in is_healthy:
        return f"{admin_socket} knows no server at port {port}"
    return "" if is_healthy[port] else f"{admin_socket} does not find port {port} healthy yet"


def read_admin(admin_socket: Path, path: str, *, verb: str = "GET") -> tuple[int, bytes]:
    """The status and the body of one of Envoy's own pages. Blocks, two seconds at most.

    Raises:
        OSError: nobody answers there.
        http.client.HTTPException: what answers does not speak HTTP.
    """
    return ask(_SocketConnection(admin_socket), verb, path)


def connect_to_socket(path: Path) -> socket.socket:
    """A connection to a socket of the file system, however long its path is.

    The kernel takes 107 bytes of a path; where it shows open folders as files, the way through
    one of them is short.

    Raises:
        OSError: nobody listens there, or not for us.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_SECONDS)
    try:
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
            connection.connect(str(path))
            return connection
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
    except BaseException:
        connection.close()
        raise
    return connection


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = connect_to_socket(self._path)


async def problem_of_port(port: int) -> str:
    """Whether somebody takes connections on a port of this host."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError as problem:
        return f"port {port} takes no connections: {problem}"
    writer.close()
    return ""
