"""Make a prompt smaller while its body is still arriving.

A long prompt takes its time to come over a network: 1 MB at 20 Mbit/s is 0.4 s, in which most of
its messages can be transformed. The forms are found again, by digest, when the body is
complete; nothing goes upstream before that, as the request must first be known to be valid.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from korad.auth import authenticate
from korad.clock import monotonic_ns, unix_s
from korad.domain.exchange import RequestHead
from korad.errors import KoradError
from korad.optimizer import Draft
from korad.optimizer.arrival import Arrival
from korad.web.shell import Shell

BODY_BYTES_MIN = 65_536
"""Smaller bodies are transformed quickly enough once they are there."""
SLOW_NS = 100_000_000
"""A body that takes longer than this to arrive is worth looking into before it is complete. With
less, a server under full load would take its own queues for slow clients and do the work twice."""

_log = logging.getLogger("korad")


class Ahead:
    """The work on one big body ahead of its end, which begins only if it comes slowly."""

    __slots__ = ("_arrival", "_began_ns", "_draft", "_fed", "_head", "_shell")

    def __init__(self, shell: Shell, head: RequestHead) -> None:
        self._shell = shell
        self._head = head
        self._began_ns = monotonic_ns()
        self._arrival: Arrival | None = None
        self._draft: Draft | None = None
        self._fed = 0

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Take the pieces of the body that have come so far."""
        if self._arrival is None:
            if monotonic_ns() - self._began_ns < SLOW_NS:
                return
            self._arrival = Arrival()
            self._draft = self._begin()
        draft = self._draft
        if draft is None:
            return
        messages = [found for each in pieces[self._fed :] for found in self._arrival.feed(each)]
        self._fed = len(pieces)
        if messages:
            chain = self._shell.rooms.chain
            self._shell.transform(lambda: chain.advance(draft, messages), _noted)

    def _begin(self) -> Draft | None:
        """Return the draft to fill, or None where there is nothing to do."""
        rooms = self._shell.rooms
        try:
            key = authenticate(rooms.ring, self._head.credential_digest, unix_s())
        except KoradError:
            return None  # answered when the body is complete
        return rooms.chain.begin(self._head.level or key.level or rooms.default_level)


def _noted(raised: BaseException | None) -> None:
    if raised is not None:
        _log.error("internal error in the work ahead of a body", exc_info=raised)
