"""Listening addresses: every address of the host, one port, shared by the workers."""

from __future__ import annotations

import socket
from collections.abc import Sequence

Address = tuple[socket.AddressFamily, tuple[object, ...]]


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of `host`. Raises OSError when it has none."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def bind(addresses: Sequence[Address], *, share: bool) -> list[socket.socket]:
    """Return a bound socket per address; port 0 becomes the same free port for all.

    `share` lets other processes bind the same port. An address that this machine does not have
    (IPv6 switched off) is skipped. Raises OSError when none can be bound.
    """
    bound: list[socket.socket] = []
    failure: OSError | None = None
    port = 0
    for family, address in addresses:
        try:
            bound.append(_bind(family, _with_port(address, port), share=share))
        except OSError as error:
            failure = error
            continue
        port = bound[0].getsockname()[1]
    if not bound:
        raise failure or OSError("no address to listen on")
    return bound


def _with_port(address: tuple[object, ...], port: int) -> tuple[object, ...]:
    return (address[0], port, *address[2:]) if port and not address[1] else address


def _bind(
    family: socket.AddressFamily, address: tuple[object, ...], *, share: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # Each family has a socket of its own, also for "every address".
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)  # noqa: FBT003 - positional only
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
