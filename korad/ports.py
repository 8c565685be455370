"""What the core and the composition root ask of the shell, as Protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from korad.domain.answer import StoredAnswer
from korad.domain.event import Producer
from korad.domain.exchange import ExchangeRecord
from korad.domain.identity import VirtualKey
from korad.domain.limits import Admission, HoldRequest
from korad.domain.money import Price
from korad.domain.upstream import Provider
from korad.domain.value import value


class KeyStore(Protocol):
    """Where virtual keys live. Both calls block on the disk for microseconds."""

    def version(self) -> int:
        """Return the revision of the newest change: the cheap check before `changes_since`."""
        ...

    def changes_since(self, rev: int) -> tuple[int, list[VirtualKey]]:
        """Return the newest revision and every key changed after `rev` (0: all keys).

        A revoked key comes as a change with `active` False; no key ever disappears.
        """
        ...


class NewKeys(Protocol):
    """Who knows of keys that were made since the ring was last renewed. The call never blocks."""

    def look(self, digest: bytes, then: Callable[[], None]) -> bool:
        """Renew the ring for the key of `digest`, then call `then` on the event loop.

        False: the store is away, or the key was looked for a moment ago.
        """
        ...


class AnswerStore(Protocol):
    """Where the response cache keeps answers. Neither call blocks or raises.

    A store that fails says that it has nothing: the request then goes upstream.
    """

    def find(self, key: bytes, now_ms: int, then: Callable[[StoredAnswer | None], None]) -> None:
        """Call `then` on the event loop, at once or later, with the answer under `key` or None.

        `now_ms` is Unix time. An answer past its time to live is none.
        """
        ...

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep `answer` under `key`, or do not: the store decides what it has room for."""
        ...


class Limiter(Protocol):
    """Who decides whether a key with limits may spend. No call blocks or raises."""

    def reserve(self, ask: HoldRequest, then: Callable[[Admission], None]) -> None:
        """Call `then` on the event loop, at once or within the deadline, exactly once."""
        ...

    def extend(self, ask: HoldRequest, extra_nano_usd: int, then: Callable[[int], None]) -> None:
        """Make a hold larger; `then` gets by how many nano-USD it grew, 0 where it may not."""
        ...

    def cancel(self, ask: HoldRequest) -> None:
        """Give everything back: no event will end this hold."""
        ...

    def release(self, ask: HoldRequest, used_tokens: int) -> None:
        """Say that the exchange is over: it no longer counts as under way.

        The tokens it did not use are given back. Its money stays held until its event is settled.
        """
        ...


class Billable(Protocol):
    """A destination as far as a bill is concerned."""

    @property
    def provider(self) -> Provider:
        """Who is asked."""
        ...

    @property
    def upstream_model(self) -> str:
        """The model's name there."""
        ...

    @property
    def price(self) -> Price:
        """What its tokens cost."""
        ...


class Books(Protocol):
    """Where a worker writes down what it has under way and what it has to bill."""

    @property
    def full(self) -> bool:
        """Whether no new exchange may begin, for want of disk space."""
        ...

    @property
    def producer(self) -> Producer:
        """Who numbers the events."""
        ...

    def refuse_if_full(self) -> None:
        """Raise ServerError (503 journal_full) where no new exchange may begin."""
        ...

    def open(  # noqa: PLR0913 - what a slot holds
        self,
        *,
        key: VirtualKey,
        destination: Billable,
        margin_bp: int,
        request_id: str,
        client_request_id: str | None,
        level: str | None,
        started_ms: int,
        stream: bool,
        hold: bool,
    ) -> int:
        """Note that an exchange begins, before its upstream call; return its slot.

        Raises ServerError: 503 overloaded.
        """
        ...

    def counter(self, slot: int) -> Callable[[int], None]:
        """Return what notes how many tokens are about to have been passed on, in all."""
        ...

    def note_prompt(self, slot: int, sent_tokens: int, original_tokens: int) -> None:
        """Note the counts of the prompt."""
        ...

    def note_sent(self, slot: int, *, sent: bool) -> None:
        """Note that the provider has (or has not) got the request."""
        ...

    def abandon(self, slot: int) -> None:
        """Give a slot back without an event: its exchange never began."""
        ...

    def close(  # noqa: PLR0913 - an event and its slot
        self,
        slot: int | None,
        record: ExchangeRecord,
        *,
        key: VirtualKey,
        destination: Billable,
        margin_bp: int,
        hold: bool,
        then: Callable[[], None],
    ) -> None:
        """Write the event of an exchange that has ended, and free its slot.

        `then` is called on the event loop once it is as durable as it is to be: only now may the
        last byte go to the client.
        """
        ...


class Timed(Protocol):
    """Something with a deadline, in the seconds of `Deadlines.now`."""

    deadline: float

    def on_deadline(self) -> None:
        """Act, because the deadline has passed."""
        ...


class Deadlines(Protocol):
    """One coarse clock for every timeout of a worker: moving a deadline costs an assignment."""

    now: float
    """Seconds of a monotonic clock, at most a tick old."""

    def add(self, item: Timed) -> None:
        """Watch `item` until it is discarded."""
        ...

    def discard(self, item: Timed) -> None:
        """Stop watching `item`."""
        ...


class RecordSink(Protocol):
    """Who is told the final figures of every exchange: log, metrics, recent requests."""

    def note(self, record: ExchangeRecord) -> None:
        """Take one record; called on the event loop, so it must not block."""
        ...


@value
class RecentRecord:
    """A recent request as it is kept: the JSON of its `ExchangeRecord`."""

    key_id: str | None
    json: bytes


class RecentRequests(Protocol):
    """Final figures of the last few thousand requests of all workers."""

    def find(self, request_id: str) -> RecentRecord | None:
        """Return the record of a request, or None when it is not (any more) kept."""
        ...
