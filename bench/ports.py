"""Ports for servers that are told theirs before they start, and keep it when they start again."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST = 10_000
_TRIES = 100
_chance = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that the kernel gives to nobody.

    One of those it gives to outgoing connections may be taken by any of them before the server has
    bound it, or while it is away.
    """
    above = _first_given()
    for _ in range(_TRIES if above > _LEAST else 0):
        port = _chance.randrange(_LEAST, above)
        if _is_free(port):
            return port
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        given: int = sock.getsockname()[1]
        return given


def _first_given() -> int:
    try:
        return int(_RANGE.read_text().split()[0])
    except OSError:
        return 0


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
