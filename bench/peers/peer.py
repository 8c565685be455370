"""What a peer is: how it is found, configured and started, and how much it can carry."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

MODEL = "gpt-4o-mini"
"""What the stand-in provider serves."""
READY_TIMEOUT_S = 90.0


class MissingPeerError(Exception):
    """A peer cannot be measured here; the text says why, and what would help."""


class Program(NamedTuple):
    """An installed peer."""

    command: tuple[str, ...]
    version: str
    origin: str
    """Where it is from, such as "distribution" or "PyPI"."""


class Site(NamedTuple):
    """Where one peer is to run, and between whom."""

    folder: Path
    """Its own, empty at first, and gone after the run."""
    port: int
    provider_port: int
    client_key: str
    """Clients send it; it must be checked ..."""
    provider_key: str
    """... and this one sent to the provider."""
    workers: int = 1


class Launch(msgspec.Struct, frozen=True):
    """How to start it, and how to talk to it."""

    command: tuple[str, ...]
    environ: dict[str, str]
    """The whole environment, PATH apart."""
    key: str
    """What clients send as `Authorization: Bearer`."""
    model: str = MODEL
    headers: dict[str, str] = {}


class Capacity(NamedTuple):
    """What a peer can carry that cannot carry the load of the others."""

    connections: int
    """Closed loop."""
    requests_per_s: float
    """Open loop."""
    streams_per_s: float
    """Of 100 chunks each."""
    slow_streams: int
    """Open at the same time."""
    slow_streams_per_s: float


class Peer(Protocol):
    """One file of this folder."""

    @property
    def name(self) -> str:
        """How the result calls it."""
        ...

    @property
    def job(self) -> str:
        """What it does of the common job, and what beyond."""
        ...

    @property
    def checks_keys(self) -> bool:
        """Whether a wrong client key is refused."""
        ...

    @property
    def capacity(self) -> Capacity | None:
        """None: it carries the full load."""
        ...

    def find(self, builds: Path) -> Program:
        """Return the installed program; install it into `builds` where that is the way.

        Raises MissingPeerError.
        """
        ...

    def launch(self, program: Program, site: Site) -> Launch:
        """Write its configuration into the site's folder and return how it is started.

        Raises MissingPeerError, OSError.
        """
        ...
