"""The ways to a provider that are compared, and the shape of what is found."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from bench.tls.provider import Ports

LARGE_BYTES = 200_000


class Way(NamedTuple):
    """How a request goes to the provider."""

    tls: bool
    new_connection: bool
    """For each request."""
    tickets: bool = True
    """Whether the provider hands out what a session is resumed by."""
    body_bytes: int = 300

    def port(self, ports: Ports) -> int:
        """Return where to go."""
        if not self.tls:
            return ports.plain
        return ports.tls if self.tickets else ports.tls_without_tickets


WAYS = {
    "plain, kept alive": Way(tls=False, new_connection=False),
    "TLS, kept alive": Way(tls=True, new_connection=False),
    "plain, new connection": Way(tls=False, new_connection=True),
    "TLS, new connection, cold": Way(tls=True, new_connection=True, tickets=False),
    "TLS, new connection, resumed": Way(tls=True, new_connection=True),
    "plain, kept alive, 200 KB": Way(tls=False, new_connection=False, body_bytes=LARGE_BYTES),
    "TLS, kept alive, 200 KB": Way(tls=True, new_connection=False, body_bytes=LARGE_BYTES),
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Of one way, over all rounds, but for its first request."""

    samples_us: list[float]
    """CPU time of korad's side per request, of each round."""
    requests: int
    connections: int
    full: int
    resumed: int
    cipher: str


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """Connections opened at once while a session is known."""

    full: int
    resumed: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a measuring process tells."""

    ways: dict[str, Found]
    burst: Burst
