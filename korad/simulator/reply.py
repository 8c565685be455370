"""An answer in a dialect's shape, and the boundary between a dialect and the server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from korad.domain.value import value
from korad.simulator.answer import Answer, Ask
from korad.simulator.script import Script
from korad.simulator.words import Count


class Frame(NamedTuple):
    """One streamed event."""

    data: bytes
    sent_tokens: int = 0
    """Tokens of the answer that were sent once this is."""
    usage: bool = False
    """It carries the usage report."""


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the simulator
    """A request the provider answers with an error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code


@value
class Stamp:
    """Identity and time of one answer."""

    token: str
    """What all ids of this answer are made of."""
    created_s: int

    @classmethod
    def of(cls, seed: int, number: int, created_s: int) -> Stamp:
        """Return the stamp of the `number`th answer under `seed`."""
        token = hashlib.blake2b(b"%d/%d" % (seed, number), digest_size=12).hexdigest()
        return cls(token=token, created_s=created_s)


@value
class Reply:
    """All that is sent back for one request, before a fault spoils it."""

    status: int
    headers: bytes
    """Header lines, without framing."""
    body: bytes = b""
    """The whole answer, when `frames` is None."""
    frames: Iterator[Frame] | None = None
    error_frame: bytes = b""
    """What this dialect streams when it fails half-way."""
    ping: bytes = b""
    """Goes before every frame but the first, unless it is b""."""
    opening_ping: bytes = b""
    """Goes before the first frame."""
    tokens: int = 0
    """Tokens in `body`."""
    usage: bool = False
    """`body` carries the usage report."""
    answered: bool = True
    """It is an answer, not an error: its entry may end as completed."""


class Dialect(Protocol):
    """What the server must know to speak as a provider does."""

    name: str
    id_header: str
    """The response header that carries the provider's own request id."""
    ping: bytes
    """What keeps a stream alive between two events."""
    opening_ping: bytes
    """The same before the first event, b"" where none may come there."""

    def authenticate(self, headers: Mapping[str, str], script: Script) -> str:
        """Return the API version asked for; `headers` have lower-case names. Raises Refused."""
        ...

    def read(self, version: str, body: bytes, script: Script, count: Count) -> Ask:
        """Return what the request asks. Raises Refused."""
        ...

    def completion(self, ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> bytes:
        """Return the whole answer as a JSON body."""
        ...

    def events(self, ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> Iterator[Frame]:
        """Return the answer event by event, end mark included."""
        ...

    def canned_error(self, status: int) -> Refused:
        """Return this provider's usual error under `status`."""
        ...

    def error_body(self, refused: Refused, stamp: Stamp) -> bytes:
        """Return the JSON body of an error answer."""
        ...

    def error_event(self, refused: Refused, stamp: Stamp) -> bytes:
        """Return the error as a streamed event."""
        ...

    def headers(self, script: Script) -> bytes:
        """Return the header lines every answer of this provider carries."""
        ...

    def models(self, stamp: Stamp) -> Any:
        """Return the list of models, as `GET .../models` shows it."""
        ...
