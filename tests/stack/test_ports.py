import itertools
import socket
from pathlib import Path

from slaledger.stack.ports import free_ports, is_free, pick


def listen(port: int) -> socket.socket:
    server = socket.create_server(("127.0.0.1", port))
    return server


def test_a_taken_port_is_stepped_over() -> None:
    home = Path("/some/home")
    first, second = itertools.islice(free_ports(home), 2)
    with listen(first):
        assert not is_free(first)
        assert next(free_ports(home)) == second
        assert pick(first, free_ports(home)) == second
    assert pick(first, free_ports(home)) == first


def test_two_homes_start_at_different_places() -> None:
    assert next(free_ports(Path("/some/home"))) != next(free_ports(Path("/another/home")))


def test_ports_come_one_after_the_other_and_once() -> None:
    ports = list(itertools.islice(free_ports(Path("/some/home")), 50))
    assert len(set(ports)) == 50
