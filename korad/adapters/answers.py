"""Where a worker keeps stored answers: in its memory, and behind that, if set, in Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from korad.adapters.metrics import MetricsPage
from korad.adapters.redis_answers import RedisAnswers
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_url import RedisAddress, parse_redis_url
from korad.config.settings import CacheSettings
from korad.domain.answer import StoredAnswer
from korad.response_cache import AnswerMemory


def open_answers(settings: CacheSettings, redis: RedisAddress) -> Answers:
    """Return the store that `settings` ask for; `redis` is where the books are.

    Redis gets a connection of its own: a long answer must not hold up the limits of others.
    Raises ValueError for a URL that is none.
    """
    memory = AnswerMemory(ttl_s=settings.ttl_s, bytes_max=settings.bytes_max)
    if settings.store != "redis":
        return Answers(memory, None, entry_bytes_max=settings.entry_bytes_max)
    address = redis if settings.url is None else parse_redis_url(settings.url.reveal())
    behind = RedisAnswers(RedisPipeline(address), settings)
    return Answers(memory, behind, entry_bytes_max=settings.entry_bytes_max)


class Answers:
    """Implement `korad.ports.AnswerStore` on one or two levels.

    What Redis has comes into memory too, for the rest of its time.
    """

    def __init__(
        self, memory: AnswerMemory, redis: RedisAnswers | None, *, entry_bytes_max: int
    ) -> None:
        """`entry_bytes_max`: the longest body kept at all."""
        self.memory = memory
        """This worker's own."""
        self._redis = redis
        self._entry_bytes_max = entry_bytes_max
        self._counts = Counter[str]()
        self._told = Counter[str]()

    def find(self, key: bytes, now_ms: int, then: Callable[[StoredAnswer | None], None]) -> None:
        """Call `then` with the answer under `key` or None: at once, or within Redis' deadline."""
        answer = self.memory.get(key, now_ms)
        if answer is not None or self._redis is None:
            self._counts["misses" if answer is None else "hits"] += 1
            then(answer)
            return

        def take(found: StoredAnswer | None) -> None:
            if found is None:
                self._counts["misses"] += 1
            else:
                self._counts["hits"] += 1
                self._counts["redis_hits"] += 1
                self.memory.put(key, found)
            then(found)

        self._redis.find(key, now_ms, take)

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep `answer` on all levels, as far as each has room."""
        if len(answer.body) <= self._entry_bytes_max:
            self.memory.put(key, answer)
            if self._redis is not None:
                self._redis.put(key, answer)

    @property
    def counts(self) -> Counter[str]:
        """Lookups by what came of them, and what Redis did not do."""
        if self._redis is None:
            return self._counts
        behind = self._redis.counters
        return self._counts + Counter(
            redis_failures=behind["failures"], redis_dropped=behind["dropped"]
        )

    def start(self) -> None:
        """Begin to connect, where there is a Redis."""
        if self._redis is not None:
            self._redis.start()

    async def close(self) -> None:
        """Hang up, where there is a Redis."""
        if self._redis is not None:
            await self._redis.close()

    def note(self, page: MetricsPage) -> None:
        """Add to the metrics what has come since the last time."""
        counts = self.counts.copy()
        for name, count in (counts - self._told).items():
            page.add(f"korad_cache_{name}_total", count)
        self._told = counts
        page.set("korad_cache_bytes", self.memory.bytes_held)
