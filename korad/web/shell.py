"""What a relay needs of the process around it: time, ids, threads, pool, record readers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

from korad.auth import authenticate
from korad.clock import monotonic_ns, unix_ns, unix_s
from korad.config import ServerSettings
from korad.domain.exchange import ExchangeRecord, Outcome
from korad.domain.identity import VirtualKey
from korad.errors import KoradError, UnknownKeyError, server_error
from korad.exchange import Exchange
from korad.ports import AnswerStore, Books, Deadlines, Limiter, NewKeys, RecordSink
from korad.rooms import Rooms
from korad.upstream import Pool
from korad.web.cross_origin import answer_headers
from korad.web.heads import HeadReader
from korad.wire.http1 import header_lines

RETRY_AFTER_S = 1


class Shell:
    """One worker's surroundings, wired by the composition root."""

    def __init__(  # noqa: PLR0913 - one argument per part
        self,
        *,
        rooms: Rooms,
        pool: Pool,
        deadlines: Deadlines,
        heads: HeadReader,
        records: RecordSink,
        answers: AnswerStore,
        books: Books,
        limiter: Limiter,
        new_keys: NewKeys,
        slice_tokens: int,
        new_request_id: Callable[[], str],
        settings: ServerSettings,
        counters: ThreadPoolExecutor,
        transformers: ThreadPoolExecutor,
    ) -> None:
        self.rooms = rooms
        self.pool = pool
        self.deadlines = deadlines
        self.heads = heads
        self.settings = settings
        self.head_bytes_max = settings.head_bytes_max
        self.body_bytes_max = settings.body_bytes_max
        self.inflight_max = settings.inflight_max
        self.records = records
        self.answers = answers
        self.books = books
        self.limiter = limiter
        self.new_keys = new_keys
        self.slice_tokens = slice_tokens
        self.drains: dict[str, int] = {}
        """Answers read on for nobody, by provider."""
        self.new_request_id = new_request_id
        self.closing = False
        """Every answer is the last on its connection; set from the first moment of a stop."""
        self.draining = False
        """No further request is taken; set once those who had just connected were served."""
        self.inflight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._counters = counters
        self._transformers = transformers
        self._constant_lines = b"Server: korad\r\n" + header_lines(
            answer_headers(settings.cors_origin)
        )
        self.note_date()

    def begin(self) -> Exchange:
        """Return a new exchange and count it in flight."""
        self.inflight += 1
        return Exchange(
            self.rooms,
            self.new_request_id(),
            now_ms=unix_ns() // 1_000_000,
            now_ns=monotonic_ns(),
        )

    async def authenticate(self, digest: bytes | None) -> VirtualKey:
        """Return the key of `digest`, which may have been made a moment ago. Raises ClientError."""
        ring = self.rooms.ring
        try:
            return authenticate(ring, digest, unix_s())
        except UnknownKeyError:
            looked = asyncio.Event()
            assert digest is not None
            if not self.new_keys.look(digest, looked.set):
                raise
        await looked.wait()
        return authenticate(ring, digest, unix_s())

    def end(self, record: ExchangeRecord) -> None:
        """Hand the figures of a settled exchange to those who keep them."""
        self.inflight -= 1
        if not self.inflight:
            self.idle.set()
        self.records.note(record)

    def refuse(self) -> None:
        """Raise ServerError (503: draining, overloaded, journal_full) if none is taken now."""
        if self.draining:
            raise server_error(503, "korad is stopping.", "draining", retry_after_s=RETRY_AFTER_S)
        if self.inflight > self.inflight_max:
            raise server_error(
                503, "korad has too much to do.", "overloaded", retry_after_s=RETRY_AFTER_S
            )
        self.books.refuse_if_full()

    def note_refusal(self, error: KoradError) -> str:
        """Record a request that was answered with `error` before any relay; return its id."""
        exchange = self.begin()
        exchange.refuse(error, b"")
        self.end(exchange.settle(Outcome.REFUSED, monotonic_ns()))
        return exchange.request_id

    def offload(
        self, work: Callable[[], object], then: Callable[[BaseException | None], None]
    ) -> None:
        """Count in a thread, then call `then` on the loop with what `work` raised, if anything.

        One thread: works and their continuations keep their order.
        """
        _submit(self._counters, work, then)

    def transform(
        self, work: Callable[[], object], then: Callable[[BaseException | None], None]
    ) -> None:
        """Transform in another thread: a request waits for it, and must not wait for counts."""
        _submit(self._transformers, work, then)

    def note_date(self) -> None:
        """Renew the `Date` header; called every tick, so that no request has to look at a clock."""
        date = formatdate(unix_s(), usegmt=True)
        self._lines = b"Date: %b\r\n%b" % (date.encode(), self._constant_lines)

    def lines(self, *, close: bool) -> bytes:
        """Return the header lines every answer ends with."""
        return self._lines + b"Connection: close\r\n" if close or self.closing else self._lines


def _submit(
    threads: ThreadPoolExecutor,
    work: Callable[[], object],
    then: Callable[[BaseException | None], None],
) -> None:
    loop = asyncio.get_running_loop()

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # noqa: BLE001 - handed to the loop, which reports it
            error = raised
        loop.call_soon_threadsafe(then, error)

    threads.submit(run)
