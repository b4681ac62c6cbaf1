"""Which ports a stack listens on."""

from __future__ import annotations

import errno
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from localmesh.errors import StackError

LOOPBACK = "127.0.0.1"

_USUAL_PUBLIC = 8080
_USUAL_MESH = 8081
_USUAL_DATABASE = 5432
# The first server process; the others follow.
_USUAL_SERVER = 50051

# Where a free port is looked for: below those that the kernel gives to outgoing connections.
# One of those could be taken by a part's own connection before it is listened on.
_ANY_FROM, _ANY_BELOW = 10_000, 32_768
_TRIES_MAX = 100


class PortTakenError(StackError):
    """Somebody asked for a port that another process listens on."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} of {LOOPBACK} is taken by another process, or not ours to take. Name "
            "another one, or leave the option out: then a free one is chosen."
        )
        self.port = port


@dataclass(frozen=True, slots=True, kw_only=True)
class PortWish:
    """A port somebody would like; 0 is any. `firm`: that one or none."""

    port: int
    firm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPorts:
    """Where the parts of a stack listen, all on the loopback address."""

    public: int
    mesh: int
    database: int
    servers: tuple[int, ...]


@contextmanager
def reserve_stack_ports(
    *, public: int | None, mesh: int | None, server_count: int
) -> Iterator[StackPorts]:
    """The usual ports where they are free; the named ones, or none. Kept as `reserve_ports`.

    Raises:
        PortTakenError: a named one is taken.
    """
    usual = [_USUAL_DATABASE]
    usual += [_USUAL_SERVER + number for number in range(server_count)]
    wishes = [
        PortWish(port=public or _USUAL_PUBLIC, firm=public is not None),
        PortWish(port=mesh or _USUAL_MESH, firm=mesh is not None),
        *(PortWish(port=port) for port in usual),
    ]
    with reserve_ports(wishes) as chosen:
        yield StackPorts(
            public=chosen[0],
            mesh=chosen[1],
            database=chosen[2],
            servers=tuple(chosen[3:]),
        )


def unusual_listeners(ports: StackPorts, *, named: tuple[int | None, int | None]) -> Iterator[str]:
    """A line for each listener that is not where the documentation has it, nor was put there.

    Whoever follows the documentation would talk to whatever has the usual ports.
    """
    usual = {"public": (_USUAL_PUBLIC, ports.public), "mesh": (_USUAL_MESH, ports.mesh)}
    for (name, (expected, port)), wish in zip(usual.items(), named, strict=True):
        if wish is None and port != expected:
            yield f"Port {expected} is taken: the {name} listener is at {port}."


def choose_ports(wishes: Sequence[PortWish]) -> list[int]:
    """As `reserve_ports`, for somebody who listens at once: nothing is kept.

    Raises:
        PortTakenError: a firm wish cannot be met.
    """
    with reserve_ports(wishes) as chosen:
        return chosen


@contextmanager
def reserve_ports(wishes: Sequence[PortWish]) -> Iterator[list[int]]:
    """A port of the loopback address for each wish: the wished one, or one that is free.

    The ports differ from each other. Nobody listens on them yet; until the end of the
    context no other reservation on this host is given one of them. So two stacks may start
    in one moment, and a part that has just crashed finds its port again. (Only Linux can
    keep ports so. Elsewhere they were free a moment ago, and no more is known.)

    Raises:
        PortTakenError: a firm wish cannot be met.
    """
    with ExitStack() as kept:
        # All are listened on until all are chosen, or the same port could be chosen twice.
        # The wished ones come first, so that none of them is given away as "a free one".
        with ExitStack() as held:
            wished = [_try_take(wish.port, held=held, kept=kept) for wish in wishes]
            for wish, port in zip(wishes, wished, strict=True):
                if port is None and wish.firm:
                    raise PortTakenError(wish.port)
            chosen = [_take_any(held, kept) if port is None else port for port in wished]
        yield chosen


def _take_any(held: ExitStack, kept: ExitStack) -> int:
    for _ in range(_TRIES_MAX):
        port = _ANY_FROM + secrets.randbelow(_ANY_BELOW - _ANY_FROM)
        taken = _try_take(port, held=held, kept=kept)
        if taken is not None:
            return taken
    raise StackError(
        f"No free port of {LOOPBACK} was found from {_ANY_FROM} to {_ANY_BELOW - 1} in "
        f"{_TRIES_MAX} tries. Nearly all of them are taken."
    )


def _try_take(port: int, *, held: ExitStack, kept: ExitStack) -> int | None:
    """Listens on a port within `held` and reserves it within `kept`; None if it is not free."""
    if port == 0:
        return None
    try:
        with ExitStack() as reservation:
            # First, and so a port that another stack is about to listen on is not touched.
            _reserve(reservation, port)
            _listen(held, port)
            kept.enter_context(reservation.pop_all())
    except OSError as problem:
        # EACCES: below 1024 without the right to it.
        if problem.errno in {errno.EADDRINUSE, errno.EACCES}:
            return None
        raise
    return port


def _reserve(reservation: ExitStack, port: int) -> None:
    """Binds a name that belongs to the port. The kernel gives it up when we are gone.

    An abstract address (unix(7)) lives where ports do, in the network namespace, and leaves
    no file behind.
    """
    if sys.platform == "linux":
        name = reservation.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        name.bind(f"\0guerdon/port/{port}")


def _listen(held: ExitStack, port: int) -> None:
    listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    # As servers do it: connections that a former listener left behind do not count.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    # Without listening, another socket with the same option could still bind.
    listener.listen(1)
