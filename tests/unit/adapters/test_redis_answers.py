"""Answers in Redis as seen by a request: in time, once, and never an error."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from hiredis import ReplyError

from korad.adapters import redis_answers
from korad.adapters.answer_format import encode_answer
from korad.adapters.answers import Answers, open_answers
from korad.adapters.circuit_breaker import FAILURES_MAX, PAUSE_NS
from korad.adapters.metrics import Metrics
from korad.adapters.redis_answers import RedisAnswers
from korad.adapters.redis_errors import ConnectionLostError, NotConnectedError, QueueFullError
from korad.adapters.redis_url import unix_address
from korad.adapters.shared_pages import make_pages
from korad.config.settings import CacheSettings
from korad.domain.answer import StoredAnswer
from korad.domain.secret import Secret
from korad.domain.usage import Usage
from korad.response_cache import AnswerMemory

NOW_MS = 1_700_000_000_000
TTL_S = 60.0
KEY = b"\x0f" * 32
NAME = b"kc:" + b"0f" * 32
DEADLINE_S = 0.02


def an_answer(size_bytes: int = 10, stored_ms: int = NOW_MS) -> StoredAnswer:
    return StoredAnswer(
        body=b"x" * size_bytes,
        lines=b"",
        original_tokens=1,
        usage=Usage(prompt_tokens=1, completion_tokens=1),
        stored_ms=stored_ms,
    )


class Pipeline:
    """Takes commands and answers when it is told to."""

    def __init__(self) -> None:
        self.sent = []

    def execute(self, parts, then, *, key=None, deadline_s=None) -> None:
        assert key == parts[1]
        assert deadline_s is None
        self.sent.append((parts, then))

    def reply(self, reply) -> None:
        self.sent[-1][1](reply)


class Clock:
    ns = 0

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(pipeline, clock) -> RedisAnswers:
    settings = CacheSettings(
        ttl_s=TTL_S, store="redis", deadline_ms=round(DEADLINE_S * 1000), entry_bytes_max=1_000
    )
    return RedisAnswers(pipeline, settings, now_ns=clock)


class Found(list):
    """Every call of `then`."""

    @property
    def only(self) -> StoredAnswer | None:
        (answer,) = self
        return answer


def ask(store, now_ms: int = NOW_MS) -> Found:
    found = Found()
    store.find(KEY, now_ms, found.append)
    return found


def answered(store) -> asyncio.Future[StoredAnswer | None]:
    """Return a future; a second call of `then` would raise."""
    answer = asyncio.get_running_loop().create_future()
    store.find(KEY, NOW_MS, answer.set_result)
    return answer


def fail(store, pipeline, times: int) -> None:
    for _ in range(times):
        found = ask(store)
        pipeline.reply(NotConnectedError("gone"))
        assert found.only is None


# ── what is asked, what is taken ─────────────────────────────────────────────────────────────


async def test_a_value_of_redis_is_the_answer(store, pipeline):
    found = ask(store)
    assert found == []
    pipeline.reply(encode_answer(an_answer()))

    assert found.only == an_answer()
    ((parts, _),) = pipeline.sent
    assert parts[:3] == (b"GETRANGE", NAME, b"0")


async def test_no_more_is_read_than_an_entry_may_have(store, pipeline):
    ask(store)
    (parts, _), *_ = pipeline.sent
    pipeline.reply(b"")

    assert 1_000 < int(parts[3]) < 10_000


@pytest.mark.parametrize("reply", [b"", b"hello", b"\x9e\x02", encode_answer(an_answer())[:-1]])
async def test_what_is_no_answer_is_none_and_no_failure(store, pipeline, reply):
    for _ in range(FAILURES_MAX + 1):
        found = ask(store)
        pipeline.reply(reply)
        assert found.only is None

    assert store.available
    assert store.counters["failures"] == 0


async def test_an_answer_past_its_time_is_none(store, pipeline):
    for late_ms, is_found in ((-1, True), (0, False), (5_000, False)):
        found = ask(store, NOW_MS + round(TTL_S * 1000) + late_ms)
        pipeline.reply(encode_answer(an_answer()))
        assert (found.only is not None) == is_found


async def test_an_answer_from_the_future_is_as_old_as_now(store, pipeline):
    found = ask(store)
    pipeline.reply(encode_answer(an_answer(stored_ms=NOW_MS + 3_600_000)))

    assert found.only == an_answer(stored_ms=NOW_MS)


# ── failures ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "reply",
    [
        ConnectionLostError("gone"),
        QueueFullError("full"),
        ReplyError("LOADING Redis is loading the dataset in memory"),
        ReplyError("NOPERM this user has no permissions"),
        None,
        7,
    ],
    ids=str,
)
async def test_a_failure_is_none_and_five_of_them_are_enough(store, pipeline, reply):
    for number in range(FAILURES_MAX):
        assert store.available, number
        found = ask(store)
        pipeline.reply(reply)
        assert found.only is None

    assert not store.available
    assert store.counters["failures"] == FAILURES_MAX


async def test_another_type_under_the_name_is_no_failure_of_redis(store, pipeline):
    for _ in range(FAILURES_MAX + 1):
        found = ask(store)
        pipeline.reply(ReplyError("WRONGTYPE Operation against a key holding the wrong kind"))
        assert found.only is None

    assert store.available


async def test_silence_is_none_at_the_deadline_and_a_late_reply_is_nothing(store, pipeline):
    began_s = time.monotonic()
    assert await answered(store) is None
    took_s = time.monotonic() - began_s
    pipeline.reply(encode_answer(an_answer()))

    assert took_s >= DEADLINE_S * 0.9
    assert store.counters["failures"] == 1


async def test_a_server_that_is_always_late_is_left_alone(store, pipeline):
    for _ in range(FAILURES_MAX):
        assert await answered(store) is None
        pipeline.reply(encode_answer(an_answer()))

    assert not store.available


async def test_a_reply_in_time_ends_the_deadline(store, pipeline):
    found = ask(store)
    pipeline.reply(encode_answer(an_answer()))
    await asyncio.sleep(2 * DEADLINE_S)

    assert found.only is not None
    assert store.counters["failures"] == 0


async def test_redis_that_is_left_alone_costs_no_wait_and_is_tried_once_a_second(
    store, pipeline, clock
):
    fail(store, pipeline, FAILURES_MAX)
    asked = len(pipeline.sent)

    assert ask(store).only is None
    assert len(pipeline.sent) == asked
    assert store.counters["skipped"] == 1

    clock.ns += PAUSE_NS
    trying = ask(store)
    assert ask(store).only is None
    assert len(pipeline.sent) == asked + 1
    pipeline.reply(encode_answer(an_answer()))
    assert trying.only == an_answer()
    assert store.available
    assert ask(store) == []
    assert len(pipeline.sent) == asked + 2
    pipeline.reply(b"")


# ── storing ──────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_sent_with_its_time_to_live(store, pipeline):
    store.put(KEY, an_answer())

    ((parts, _),) = pipeline.sent
    assert parts == (b"SET", NAME, encode_answer(an_answer()), b"PX", b"60000")


def test_a_time_to_live_is_never_nothing(pipeline):
    RedisAnswers(pipeline, CacheSettings(ttl_s=0.0001)).put(KEY, an_answer())

    assert pipeline.sent[0][0][-1] == b"1"


def test_what_is_on_its_way_is_bounded(store, pipeline, monkeypatch):
    size_bytes = len(encode_answer(an_answer()))
    monkeypatch.setattr(redis_answers, "UNSENT_BYTES_MAX", 2 * size_bytes)
    for _ in range(3):
        store.put(KEY, an_answer())
    assert (len(pipeline.sent), store.counters["dropped"]) == (2, 1)

    pipeline.sent[0][1](b"OK")
    store.put(KEY, an_answer())
    assert (len(pipeline.sent), store.counters["dropped"]) == (3, 1)

    # A failure frees the room too.
    pipeline.sent[1][1](ReplyError("OOM command not allowed"))
    pipeline.sent[2][1](ConnectionLostError("gone"))
    store.put(KEY, an_answer())
    assert (len(pipeline.sent), store.counters["dropped"]) == (4, 3)
    assert store.available


def test_what_lies_in_redis_is_bounded(pipeline, clock):
    size_bytes = len(encode_answer(an_answer())) + redis_answers._ENTRY_OVERHEAD_BYTES
    settings = CacheSettings(ttl_s=TTL_S, redis_bytes_max=3 * size_bytes + 1)
    store = RedisAnswers(pipeline, settings, now_ns=clock)
    for _ in range(5):
        store.put(KEY, an_answer())
        pipeline.reply(b"OK")
    assert (len(pipeline.sent), store.counters["dropped"]) == (3, 2)

    clock.ns += round(TTL_S * 1e9)
    store.put(KEY, an_answer())
    assert len(pipeline.sent) == 3

    # All of them have expired there.
    clock.ns += round(TTL_S * 1e9 / 60)
    for _ in range(5):
        store.put(KEY, an_answer())
    assert len(pipeline.sent) == 6


def test_what_is_too_large_or_no_number_is_dropped(store, pipeline):
    store.put(KEY, an_answer(100_000))
    usage = Usage(prompt_tokens=2**64, completion_tokens=0)
    store.put(KEY, msgspec.structs.replace(an_answer(), usage=usage))

    assert pipeline.sent == []
    assert store.counters["dropped"] == 2


async def test_nothing_is_sent_to_a_redis_that_is_left_alone(store, pipeline):
    fail(store, pipeline, FAILURES_MAX)
    asked = len(pipeline.sent)
    store.put(KEY, an_answer())

    assert len(pipeline.sent) == asked
    assert store.counters["dropped"] == 1


# ── both levels ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def both(store) -> Answers:
    memory = AnswerMemory(ttl_s=TTL_S, bytes_max=100_000)
    return Answers(memory, store, entry_bytes_max=1_000)


async def test_memory_stands_in_front_of_redis(both, pipeline):
    both.put(KEY, an_answer())
    assert len(pipeline.sent) == 1

    assert ask(both).only == an_answer()
    assert len(pipeline.sent) == 1
    assert both.counts == {"hits": 1}


async def test_what_redis_has_comes_into_memory_for_the_rest_of_its_time(both, pipeline):
    ms_later = round(TTL_S * 1000) - 1
    found = ask(both, NOW_MS + ms_later)
    pipeline.reply(encode_answer(an_answer()))
    assert found.only == an_answer()
    assert ask(both, NOW_MS + ms_later).only == an_answer()
    assert len(pipeline.sent) == 1

    late = ask(both, NOW_MS + ms_later + 1)
    pipeline.reply(b"")
    assert late.only is None
    assert both.counts == {"hits": 2, "redis_hits": 1, "misses": 1}


async def test_an_answer_that_is_too_long_is_kept_nowhere(both, pipeline):
    both.put(KEY, an_answer(1_001))
    found = ask(both)
    pipeline.reply(b"")

    assert found.only is None
    assert len(pipeline.sent) == 1


async def test_the_metrics_tell_the_levels_apart_and_count_once(both, pipeline):
    metrics = Metrics(make_pages(1), 0)
    ask(both)
    pipeline.reply(encode_answer(an_answer()))
    ask(both)
    both.note(metrics.own)
    other = Found()
    both.find(b"\x01" * 32, NOW_MS, other.append)
    # While it waits it is neither.
    both.note(metrics.own)
    text = metrics.render().decode()
    assert "korad_cache_misses_total" not in text
    pipeline.reply(NotConnectedError("gone"))
    both.note(metrics.own)
    both.note(metrics.own)
    lines = metrics.render().decode().splitlines()

    assert "korad_cache_hits_total 2" in lines
    assert "korad_cache_redis_hits_total 1" in lines
    assert "korad_cache_misses_total 1" in lines
    assert "korad_cache_redis_failures_total 1" in lines
    assert any(line.startswith("korad_cache_bytes 1") for line in lines)


async def test_without_redis_there_is_memory_only():
    answers = open_answers(CacheSettings(), unix_address("/nonexistent/redis.sock"))
    answers.start()
    assert ask(answers).only is None
    answers.put(KEY, an_answer())
    assert ask(answers).only == an_answer()
    assert answers.counts == {"hits": 1, "misses": 1}
    await answers.close()


async def test_a_url_that_is_none_is_told():
    settings = CacheSettings(store="redis", url=Secret("http://here"))

    with pytest.raises(ValueError, match=r"."):
        open_answers(settings, unix_address("/nonexistent/redis.sock"))
