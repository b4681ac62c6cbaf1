from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from localmesh.ports import (
    LOOPBACK,
    PortTakenError,
    PortWish,
    choose_ports,
    moved_listeners,
    reserve_ports,
)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_taken_as_wished() -> None:
    """Addresses would change at every start, and bookmarks and settings with them."""
    (free,) = choose_ports([PortWish(port=0)])

    assert choose_ports([PortWish(port=free)]) == [free]


def test_a_taken_port_is_replaced_by_a_free_one(taken_port: int) -> None:
    """The mesh would not start beside another program that uses 8080."""
    (chosen,) = choose_ports([PortWish(port=taken_port)])

    assert chosen != taken_port
    with socket.create_server((LOOPBACK, chosen)):
        pass


def test_a_port_somebody_named_is_never_replaced(taken_port: int) -> None:
    """Whoever names a port would find nobody there, and no word about it."""
    with pytest.raises(PortTakenError, match=str(taken_port)):
        choose_ports([PortWish(port=taken_port, firm=True)])


def test_no_port_is_given_twice(taken_port: int) -> None:
    """Two parts would be told to listen on the same port, and one would fail to start."""
    chosen = choose_ports([PortWish(port=taken_port)] * 20)

    assert len(set(chosen)) == len(chosen)


def test_a_connection_left_behind_does_not_take_a_port() -> None:
    """A stack that starts again at once would move to other ports for a minute."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            # Closed on the server's side first: that side waits (TIME_WAIT).
            listener.accept()[0].close()

    assert choose_ports([PortWish(port=port)]) == [port]


def test_a_reserved_port_is_nobody_elses_though_nobody_listens() -> None:
    """Two stacks that start in one moment would both be told 5432, and one would fail."""
    (port,) = choose_ports([PortWish(port=0)])

    with reserve_ports([PortWish(port=port)]) as reserved:
        assert reserved == [port]
        with socket.create_server((LOOPBACK, port)):
            pass
        assert choose_ports([PortWish(port=port)]) != [port]
        with pytest.raises(PortTakenError):
            choose_ports([PortWish(port=port, firm=True)])

    assert choose_ports([PortWish(port=port)]) == [port]


def test_a_refused_reservation_keeps_nothing(taken_port: int) -> None:
    """A start that failed would take the ports of the next one away."""
    (free,) = choose_ports([PortWish(port=0)])
    wishes = [PortWish(port=free), PortWish(port=taken_port, firm=True)]
    with pytest.raises(PortTakenError, match=str(taken_port)):
        choose_ports(wishes)

    assert choose_ports([PortWish(port=free)]) == [free]


def test_a_port_that_somebody_named_is_not_given_to_another_part() -> None:
    """Whoever names 5432 for the mesh would be refused by the stack's own database."""
    (port,) = choose_ports([PortWish(port=0)])

    usual, named = choose_ports([PortWish(port=port), PortWish(port=port, firm=True)])

    assert named == port != usual


PUBLIC = PortWish(port=8080, documented_as="public listener")
MESH = PortWish(port=8081, documented_as="mesh listener")


@pytest.mark.parametrize(
    ("wishes", "chosen", "lines"),
    [
        ([PUBLIC, MESH], [8080, 8081], []),
        (
            [PUBLIC, MESH],
            [13914, 8081],
            ["Port 8080 is taken: the public listener is at 13914."],
        ),
        (
            [replace(PUBLIC, port=13914, firm=True), MESH],
            [13914, 13915],
            ["Port 8081 is taken: the mesh listener is at 13915."],
        ),
        ([PortWish(port=5432)], [13916], []),
    ],
)
def test_a_listener_elsewhere_is_named(
    wishes: list[PortWish], chosen: list[int], lines: list[str]
) -> None:
    """Whoever follows the README would talk to another program."""
    assert list(moved_listeners(wishes, chosen)) == lines
