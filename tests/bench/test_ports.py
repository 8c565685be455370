"""A port that is told to a server is free, and stays so."""

from __future__ import annotations

import socket
from pathlib import Path

from bench import ports
from bench.ports import free_port
from tests.conftest import ShareOfPorts


def test_a_port_is_free_and_none_of_those_that_outgoing_connections_get():
    found = [free_port() for _ in range(20)]
    range_file = Path("/proc/sys/net/ipv4/ip_local_port_range")

    for port in found:
        with socket.create_server(("127.0.0.1", port)):
            pass
    if range_file.exists():
        assert max(found) < int(range_file.read_text().split()[0])


def test_one_that_is_taken_is_passed_over(monkeypatch):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port, other = taken.getsockname()[1], free_port()
        drawn = [port, port, other]
        monkeypatch.setattr(ports._chance, "randrange", lambda *_: drawn.pop(0))

        assert free_port() == other
        assert drawn == []


def test_where_the_kernel_tells_no_range_it_is_one_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(ports, "_RANGE", tmp_path / "none")

    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_processes_that_test_side_by_side_have_none_in_common():
    shares = [ShareOfPorts(part, 3) for part in range(3)]
    drawn = [{share.randrange(100, 131) for _ in range(500)} for share in shares]

    assert [set(range(100, 110)), set(range(110, 120)), set(range(120, 130))] == drawn
