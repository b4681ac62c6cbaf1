from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from localmesh.ports import (
    LOOPBACK,
    PortTakenError,
    PortWish,
    StackPorts,
    choose_ports,
    reserve_ports,
    unusual_listeners,
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


@pytest.mark.parametrize(
    ("public", "mesh", "named", "lines"),
    [
        (8080, 8081, (None, None), []),
        (
            13914,
            8081,
            (None, None),
            ["Port 8080 is taken: the public listener is at 13914."],
        ),
        (13914, 13915, (13914, None), ["Port 8081 is taken: the mesh listener is at 13915."]),
    ],
)
def test_a_listener_elsewhere_is_told_of(
    public: int, mesh: int, named: tuple[int | None, int | None], lines: list[str]
) -> None:
    """Whoever follows the README would talk to another program."""
    ports = StackPorts(public=public, mesh=mesh, database=2, servers=(3, 4))
    assert list(unusual_listeners(ports, named=named)) == lines
