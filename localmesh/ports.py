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
    """A port somebody would like; 0 is any. `firm`: that one or none.

    `documented_as` is what the documentation calls whatever listens there, if it names the port.
    """

    port: int
    firm: bool = False
    documented_as: str = ""


def moved_listeners(wishes: Sequence[PortWish], chosen: Sequence[int]) -> Iterator[str]:
    """A line for each listener that is not where the documentation has it, nor was put there.

    Whoever follows the documentation would talk to whatever has the usual ports.
    """
    for wish, port in zip(wishes, chosen, strict=True):
        if wish.documented_as and port != wish.port:
            yield f"Port {wish.port} is taken: the {wish.documented_as} is at {port}."


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
        with ExitStack() as held:
            taken: dict[int, int] = {}
            # Firm wishes come first, and then the others, so that none of them is given away as
            # "a free one".
            for index in sorted(range(len(wishes)), key=lambda index: not wishes[index].firm):
                port = _try_take(wishes[index].port, held=held, kept=kept)
                if port is not None:
                    taken[index] = port
                elif wishes[index].firm:
                    raise PortTakenError(wishes[index].port)
            chosen = [
                taken[index] if index in taken else _take_any(held, kept)
                for index in range(len(wishes))
            ]
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
