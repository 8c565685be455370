"""Stored answers in Redis, for all workers of all machines. It may be lost at any time.

A request waits for Redis up to its deadline and not a moment longer: what comes later is not
looked at. Redis that fails five times in a row is left alone, but for one try a second. Nobody
waits for an answer to be stored.

The books may be in the same Redis, and there nothing is evicted: so what a worker sends within the
time that answers live is bounded, and with it what lies there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from hiredis import ReplyError

from korad.adapters.answer_format import decode_answer, encode_answer
from korad.adapters.circuit_breaker import CircuitBreaker
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_wire import NS_PER_S
from korad.adapters.sliding_sum import SlidingSum
from korad.clock import monotonic_ns
from korad.config.settings import CacheSettings
from korad.domain.answer import StoredAnswer

KEY_PREFIX = "kc:"
UNSENT_BYTES_MAX = 8 * 1024 * 1024
"""Answers on their way to Redis, per worker; one more is dropped."""

_ENTRY_OVERHEAD_BYTES = 256
"""What an entry takes in Redis beside its value: name, time to live, place in the tables."""
_RECORD_BYTES_MAX = 8 * 1024
"""What an entry has beside its body; longer header lines are not stored."""

Then = Callable[[StoredAnswer | None], None]


class RedisAnswers:
    """Implement `korad.ports.AnswerStore`. Use it on the pipeline's event loop.

    `counters`: "failures": lookups that Redis did not answer, "skipped" ones among them: it was
    not asked; "dropped": answers that were not sent, or that it did not take.
    """

    def __init__(
        self,
        pipeline: RedisPipeline,
        settings: CacheSettings,
        *,
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        """`now_ns`: nanoseconds of a clock that never goes back."""
        self._pipeline = pipeline
        self._deadline_s = settings.deadline_ms / 1000
        self._ttl_ms = max(1, round(settings.ttl_s * 1000))
        self._entry_bytes_max = settings.entry_bytes_max + _RECORD_BYTES_MAX
        # Not GET: a value that is no answer may have 512 MiB. Cut short it is no answer either.
        self._last = b"%d" % self._entry_bytes_max
        self._now_ns = now_ns
        self._breaker = CircuitBreaker()
        self._unsent_bytes = 0
        self._bytes_max = settings.redis_bytes_max
        self._held_bytes = SlidingSum(round(settings.ttl_s * NS_PER_S))
        self.counters = dict.fromkeys(("failures", "skipped", "dropped"), 0)

    # ── ports.AnswerStore ────────────────────────────────────────────────────────────────────

    def find(self, key: bytes, now_ms: int, then: Then) -> None:
        """Call `then`, within the deadline, with the answer under `key` or None."""
        if not self._breaker.may_call(self._now_ns()):
            self.counters["skipped"] += 1
            self.counters["failures"] += 1
            then(None)
            return
        name = _name(key)
        lookup = _Lookup(self, now_ms, then, self._deadline_s)
        self._pipeline.execute((b"GETRANGE", name, b"0", self._last), lookup.take, key=name)

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Send `answer` on its way, unless too much is on its way or there already."""
        try:
            encoded = encode_answer(answer)
        except OverflowError:
            encoded = b""
        size_bytes = len(encoded)
        now_ns = self._now_ns()
        room_bytes = self._bytes_max - self._held_bytes.total(now_ns) - _ENTRY_OVERHEAD_BYTES
        if (
            not 0 < size_bytes <= min(self._entry_bytes_max, room_bytes)
            or self._unsent_bytes + size_bytes > UNSENT_BYTES_MAX
            or self._breaker.open
        ):
            self.counters["dropped"] += 1
            return
        self._held_bytes.add(size_bytes + _ENTRY_OVERHEAD_BYTES, now_ns)
        self._unsent_bytes += size_bytes

        def taken(reply: object) -> None:
            self._unsent_bytes -= size_bytes
            if isinstance(reply, Exception):
                self.counters["dropped"] += 1

        name = _name(key)
        parts = (b"SET", name, encoded, b"PX", b"%d" % self._ttl_ms)
        self._pipeline.execute(parts, taken, key=name)

    # ── beyond it ────────────────────────────────────────────────────────────────────────────

    @property
    def available(self) -> bool:
        """Whether Redis is asked: false from five failures in a row until it answers again."""
        return not self._breaker.open

    def start(self) -> None:
        """Begin to connect."""
        self._pipeline.start()

    async def close(self) -> None:
        """Hang up. What waits is told that there is no answer."""
        await self._pipeline.close()

    # ── what a lookup says ───────────────────────────────────────────────────────────────────

    def read(self, reply: object, now_ms: int) -> StoredAnswer | None:
        """Return the answer in a reply; None where there is none that is good at `now_ms`."""
        if reply.__class__ is not bytes:
            # Another type under the name is another's doing: Redis is well.
            if isinstance(reply, ReplyError) and str(reply).startswith("WRONGTYPE"):
                self._breaker.succeeded()
            else:
                self.note_failure()
            return None
        self._breaker.succeeded()
        answer = decode_answer(reply)
        if answer is None or now_ms >= answer.stored_ms + self._ttl_ms:
            return None
        if answer.stored_ms > now_ms:
            # Of a machine whose clock is ahead: in memory it would outlive its time.
            return msgspec.structs.replace(answer, stored_ms=now_ms)
        return answer

    def note_failure(self) -> None:
        """Note that no reply came in time."""
        self.counters["failures"] += 1
        self._breaker.failed(self._now_ns())


class _Lookup:
    """One question to Redis with a deadline of its own.

    The pipeline's is soft: it allows a server more time that is answering others.
    """

    __slots__ = ("_loop", "_now_ms", "_store", "_then", "_timer")

    def __init__(self, store: RedisAnswers, now_ms: int, then: Then, deadline_s: float) -> None:
        self._store = store
        self._now_ms = now_ms
        self._then: Then | None = then
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(deadline_s, self._on_timer)

    def take(self, reply: object) -> None:
        """Take what became of the command; after the deadline nobody asks any more."""
        then, self._then = self._then, None
        if then is not None:
            self._timer.cancel()
            then(self._store.read(reply, self._now_ms))

    def _on_timer(self) -> None:
        # uvloop runs timers before it reads: after a long turn of the loop the reply may lie there
        # unread. Two turns later it has been read.
        self._loop.call_soon(self._loop.call_soon, self._give_up)

    def _give_up(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            self._store.note_failure()
            then(None)


def _name(key: bytes) -> bytes:
    return f"{KEY_PREFIX}{key.hex()}".encode()
