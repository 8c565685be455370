"""Whatever happens to an exchange, in whatever order, it settles exactly once."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import orjson
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from korad.auth import KeyRing, digest_key
from korad.billing.pricebook import PriceBook
from korad.config import ServerSettings
from korad.config.base_url import parse_base_url
from korad.domain.answer import StoredAnswer
from korad.domain.exchange import ExchangeRecord, Outcome, UpstreamCall
from korad.domain.identity import VirtualKey
from korad.domain.money import price_from_usd_per_mtok
from korad.domain.upstream import AuthScheme, Dialect, OnDisconnect, Provider, Timeouts
from korad.domain.usage import Usage, UsageSource
from korad.errors import server_error, upstream_error
from korad.exchange import CACHE_HIT
from korad.optimizer import Chain, TokenCounter
from korad.providers.anthropic import AnthropicDialect
from korad.providers.anthropic_models import CapabilityTable
from korad.providers.openai import OpenAIDialect
from korad.response_cache import KEY_BYTES
from korad.rooms import Rooms
from korad.routing import Router
from korad.upstream import AnswerHead, ChunkBypass, Handle, Listener
from korad.web.heads import HeadReader
from korad.web.relay import Relay
from korad.web.shell import Shell
from korad.wire.http1 import chunk
from korad.wire.known_bodies import KnownBodies

PEPPER = b"p" * 32
KEY = "sk-bf-of-the-state-machine"
ROWS = orjson.dumps([{"id": n, "name": f"row {n}"} for n in range(500)], option=orjson.OPT_INDENT_2)
PROMPTS = ("Hello", "word " * 2_000, f"```json\n{ROWS.decode()}\n```", "word " * 60_000)
EMPTY_LIST = b'{"date":"2026-01-01","providers":{}}'
TABLE = resources.files("korad.data").joinpath("anthropic_models.toml").read_text("utf-8")
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"c",'
    b'"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
DONE = b"\ndata: [DONE]\n\n"
"""As a line of its own: right behind half a line of the provider's it is a part of that."""
STORED = StoredAnswer(
    body=b'data: {"choices":[{"index":0,"delta":{"content":"stored"}}]}\n\n',
    lines=b"",
    original_tokens=7,
    usage=Usage(prompt_tokens=7, completion_tokens=3),
    stored_ms=0,
)
PIECES = st.sampled_from(
    [
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"' + b"long " * 2_000 + b'"}}]}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n',
        b'data: {"error":{"message":"Overloaded"}}\n\n',
        b'data: {"error": broken\n\n',
        b"data: [DONE]\n\n",
        START,
        STOP,
        b": ping\n\n",
        b"data: {",
        b'{"choices":[{"message":{"content":"Hi"}}],',
        b'"usage":{"prompt_tokens":7,"completion_tokens":3}}',
        b'"object":"x"}',
        b"\xff\xfe",
    ]
)


USUAL = [
    b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text
    for text in (b"Hi", b"", b"\\n", b"long " * 1_000)
]


def provider(name: str, dialect: Dialect, on_disconnect: OnDisconnect) -> Provider:
    origin, base_path = parse_base_url("http://127.0.0.1:1/v1", Dialect.OPENAI)
    return Provider(
        name=name,
        dialect=dialect,
        origin=origin,
        base_path=base_path,
        auth=AuthScheme.NONE,
        credential=None,
        timeouts=Timeouts(),
        on_disconnect=on_disconnect,
    )


def make_rooms(on_disconnect: OnDisconnect) -> Rooms:
    rows = {
        "openai": provider("openai", Dialect.OPENAI, on_disconnect),
        "anthropic": provider("anthropic", Dialect.ANTHROPIC, on_disconnect),
    }
    price = price_from_usd_per_mtok({"input": 2, "output": 2})
    return Rooms(
        ring=KeyRing([VirtualKey(key_id="vk_1", name="k", digest=digest_key(PEPPER, KEY))]),
        router=Router(rows, {}),
        codecs={
            Dialect.OPENAI: OpenAIDialect(),
            Dialect.ANTHROPIC: AnthropicDialect(CapabilityTable.parse(TABLE), now_s=lambda: 1),
        },
        book=PriceBook.parse(EMPTY_LIST, {"*": price}, today="2026-01-01"),
        chain=Chain(lambda text: len(text.split())),
        counter=TokenCounter(lambda text: [0] * len(text.split())),
        bodies=KnownBodies("secret"),
        cache_minimum=lambda _: 1_024,
        default_level="medium",
        default_margin_bp=15_000,
        user_agent="korad/test",
    )


class FakeShell(Shell):
    """Keeps what is to be done in a thread until the machine does it."""

    works: list[tuple[Callable[[], object], Callable[[BaseException | None], None]]]

    def offload(
        self, work: Callable[[], object], then: Callable[[BaseException | None], None]
    ) -> None:
        self.works.append((work, then))

    transform = offload

    def work_once(self) -> None:
        work, then = self.works.pop(0)
        work()
        then(None)


class World(RuleBasedStateMachine):
    """A relay between a client, a provider and a thread, each of which acts when it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[ExchangeRecord] = []
        self.refusal: str | None = None
        self.way: ChunkBypass | None = None
        self.passed: list[bytes] = []
        self.is_full = False
        self.listener: Listener | None = None
        self.phase = "before"
        self.status = 200
        self.written = b""
        self.done: bool | None = None
        self.client_left = False
        self.reads_on = False
        self.leaving: frozenset[str] = frozenset()
        self.cache = "off"
        self.stored: list[StoredAnswer] = []
        self.slots: set[int] = set()
        self.opened = 0
        self.abandoned = 0
        self.events: list[ExchangeRecord] = []
        self.counted = 0
        self.shell = FakeShell(
            rooms=make_rooms(OnDisconnect.CANCEL),
            pool=self,  # type: ignore[arg-type]
            deadlines=self,
            heads=HeadReader(PEPPER),
            records=self,
            answers=self,
            books=self,
            limiter=None,  # type: ignore[arg-type]
            new_keys=self,
            slice_tokens=256,
            new_request_id=lambda: "req_1",
            settings=ServerSettings(),
            counters=None,  # type: ignore[arg-type]
            transformers=None,  # type: ignore[arg-type]
        )
        self.shell.works = []

    # what the relay calls: who knows of new keys

    def look(self, digest: bytes, then: Callable[[], None]) -> bool:
        if self.refusal == "key":
            return False
        new = VirtualKey(key_id="vk_2", name="new", digest=digest)
        made = (new,) if self.refusal == "new key" else ()
        self.shell.works.append((lambda: self.shell.rooms.ring.apply(made), lambda _: then()))
        return True

    # the deadlines, of a relay that reads on for a client that has left

    now = 0.0

    def add(self, item: Relay) -> None:
        assert item is self.relay
        assert self.client_left
        self.reads_on = True

    def discard(self, item: Relay) -> None:
        assert item is self.relay
        self.reads_on = False

    # the books

    full = False

    def refuse_if_full(self) -> None:
        pass

    def open(self, *, request_id: str, **_: object) -> int:
        assert request_id == "req_1"
        self.opened += 1
        self.slots.add(self.opened)
        return self.opened

    def counter(self, slot: int) -> Callable[[int], None]:
        def count(tokens: int) -> None:
            assert slot in self.slots
            assert tokens >= 0

        return count

    def note_prompt(self, slot: int, sent_tokens: int, original_tokens: int) -> None:
        assert slot in self.slots
        assert original_tokens >= sent_tokens > 0

    def note_sent(self, slot: int, *, sent: bool) -> None:
        assert slot in self.slots
        assert sent == (self.phase == "sent")

    def abandon(self, slot: int) -> None:
        assert self.phase == "before"
        self.abandoned += 1
        self.slots.remove(slot)

    def close(
        self,
        slot: int | None,
        record: ExchangeRecord,
        *,
        then: Callable[[], None],
        **_: object,
    ) -> None:
        assert self.done is None
        # What a client has got before its event is written must not look complete.
        assert DONE not in self.written
        if slot is not None:
            self.slots.remove(slot)
        self.events.append(record)
        then()

    # what the relay calls: the client, the pool, the handle, the sink

    def write(self, data: bytes) -> None:
        assert self.done is None
        assert not self.client_left
        assert data
        self.written += data

    @property
    def writer(self) -> Callable[[bytes], None]:
        return self.write

    def relay_done(self, *, keep_alive: bool) -> None:
        assert self.done is None
        self.done = keep_alive

    def bypass(self, listener: Listener, way: ChunkBypass) -> None:
        assert listener is self.listener
        self.way = way

    def send(self, call: UpstreamCall, listener: Listener) -> Handle:
        if self.is_full:
            raise server_error(503, "full", "overloaded")
        assert call.body
        self.listener = listener
        self.phase = "waiting"
        return self

    def cancel(self, listener: Listener) -> None:
        assert listener is self.listener
        self.phase = "over"

    def pause(self, listener: Listener) -> None:
        assert listener is self.listener

    def resume(self, listener: Listener) -> None:
        assert listener is self.listener

    def find(self, key: bytes, now_ms: int, then: Callable[[StoredAnswer | None], None]) -> None:
        assert self.cache != "off"
        assert (len(key), now_ms) == (KEY_BYTES, self.relay._exchange.started_ms)
        stored = STORED if "hit" in self.cache else None
        if "late" in self.cache:
            self.shell.offload(lambda: None, lambda _: then(stored))
        else:
            then(stored)

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        assert len(key) == KEY_BYTES
        self.stored.append(answer)

    def note(self, record: ExchangeRecord) -> None:
        self.records.append(record)

    # what happens

    @initialize(
        refusal=st.sampled_from([None] * 9 + ["key", "late key", "new key", "model", "full"]),
        model=st.sampled_from(["openai/gpt", "anthropic/claude-sonnet-4-6"]),
        prompt=st.sampled_from(PROMPTS),
        stream=st.sampled_from([True, True, False]),
        chunked=st.booleans(),
        leaving=st.frozensets(st.sampled_from(["client", "provider"])),
        cache=st.sampled_from(["off"] * 4 + ["hit", "late hit", "miss", "miss", "late miss"]),
        streams_tokens=st.sampled_from([None, True, True, False]),
        on_disconnect=st.sampled_from(OnDisconnect),
    )
    def a_request_comes(
        self,
        *,
        refusal: str | None,
        model: str,
        prompt: str,
        stream: bool,
        chunked: bool,
        leaving: frozenset[str],
        cache: str,
        streams_tokens: bool | None,
        on_disconnect: OnDisconnect,
    ) -> None:
        self.shell.rooms = make_rooms(on_disconnect)
        if streams_tokens is not None:
            usage = Usage(prompt_tokens=1, completion_tokens=10 if streams_tokens else 20)
            self.shell.rooms.deltas.learn("gpt", 10, usage)
        self.refusal = refusal
        self.is_full = refusal == "full"
        self.leaving = leaving
        self.cache = cache
        key = "sk-bf-nobody" if refusal is not None and "key" in refusal else KEY
        if refusal == "model":
            model = "nowhere/gpt"
        messages = [{"role": "user", "content": prompt}]
        body: dict[str, Any] = {"model": model, "messages": messages, "stream": stream}
        self.relay = Relay(self.shell, self, keep_alive=True, chunked=chunked)
        headers = {b"x-bf-vk": key.encode()}
        if cache != "off":
            headers[b"x-korad-cache"] = b"on"
        head = self.shell.heads.read(headers)
        self.relay.start(head, orjson.dumps(body))
        if self.phase == "waiting" and not leaving:
            self.it_is_sent()

    @precondition(lambda self: self.phase == "waiting")
    @rule()
    def it_is_sent(self) -> None:
        self.phase = "sent"
        self.listener.on_sent()

    @precondition(lambda self: self.phase == "sent")
    @rule()
    def the_connection_was_stale(self) -> None:
        self.phase = "waiting"
        self.listener.on_retry(self)

    @precondition(lambda self: self.phase == "sent")
    @rule(
        status=st.sampled_from([200] * 6 + [400, 429, 500]),
        events=st.sampled_from([True, True, True, False]),
    )
    def the_head_comes(self, *, status: int, events: bool) -> None:
        self.phase = "answering"
        self.listener.on_head(self.head(status, events=events))

    @precondition(lambda self: self.phase == "sent")
    @rule(status=st.sampled_from([200, 200, 503]), pieces=st.lists(PIECES, max_size=4))
    def all_of_it_comes(self, *, status: int, pieces: list[bytes]) -> None:
        self.phase = "over"
        self.listener.on_answer(self.head(status, events=True), b"".join(pieces))

    @precondition(lambda self: self.phase == "answering")
    @rule(pieces=st.lists(PIECES, min_size=1, max_size=2))
    def a_piece_comes(self, pieces: list[bytes]) -> None:
        self.listener.on_body(b"".join(pieces))

    @precondition(lambda self: self.phase == "answering")
    @rule(events=st.lists(st.sampled_from(USUAL), min_size=1, max_size=4))
    def chunks_come(self, events: list[bytes]) -> None:
        for event in events:
            if self.way is not None and self.way.take(chunk(event)):
                self.passed.append(event)
            elif self.phase == "answering":
                self.listener.on_body(event)

    @precondition(lambda self: self.phase == "answering")
    @rule(is_anthropic=st.booleans())
    def the_end_is_announced(self, *, is_anthropic: bool) -> None:
        self.listener.on_body(STOP if is_anthropic else b"data: [DONE]\n\n")

    @precondition(lambda self: self.phase == "answering")
    @rule()
    def the_answer_ends(self) -> None:
        self.phase = "over"
        self.listener.on_end()

    @precondition(lambda self: "provider" in self.leaving)
    @precondition(lambda self: self.phase in ("waiting", "sent", "answering"))
    @rule(status=st.sampled_from([502, 504]))
    def the_provider_fails(self, status: int) -> None:
        self.phase = "over"
        self.listener.on_failure(upstream_error(status, "failed", "upstream_broken"))

    @precondition(lambda self: "client" in self.leaving)
    @precondition(lambda self: self.done is None and not self.client_left)
    @rule()
    def the_client_leaves(self) -> None:
        self.client_left = True
        self.relay.client_gone()

    @precondition(lambda self: self.reads_on)
    @rule()
    def it_was_read_for_nobody_for_too_long(self) -> None:
        self.relay.on_deadline()

    @precondition(lambda self: self.done is None and not self.client_left)
    @rule()
    def the_client_stalls_and_reads_on(self) -> None:
        self.relay.pause()
        self.relay.resume()

    @precondition(lambda self: bool(self.shell.works))
    @rule()
    def the_thread_works(self) -> None:
        self.shell.work_once()

    @rule()
    def nothing_happens(self) -> None:
        """Keep the machine going when all is over."""

    # what holds

    @invariant()
    def it_has_not_settled_twice(self) -> None:
        assert len(self.records) <= 1
        assert len(self.events) <= len(self.records)
        assert self.shell.inflight == (1 if hasattr(self, "relay") and not self.records else 0)

    @invariant()
    def what_began_has_one_event(self) -> None:
        assert self.opened <= 1
        if self.records:
            assert not self.slots
            hit = "hit" in self.cache and self.records[0].strategy == CACHE_HIT
            assert len(self.events) == self.opened - self.abandoned + hit
            assert all(event is self.records[0] for event in self.events)

    @invariant()
    def the_client_is_released_when_it_settles(self) -> None:
        if self.client_left:
            assert self.done is None
        elif hasattr(self, "relay"):
            assert (self.done is not None) == (len(self.records) == 1)

    @invariant()
    def what_passed_by_was_passed_on_before_the_end(self) -> None:
        if self.passed:
            assert chunk(self.passed[-1]) in self.written
            assert self.cache == "off"

    @invariant()
    def what_is_stored_never_calls_the_provider(self) -> None:
        assert "hit" not in self.cache or self.phase == "before"

    @invariant()
    def only_whole_answers_are_stored(self) -> None:
        for answer in self.stored:
            (record,) = self.records

            assert "miss" in self.cache
            assert (record.status, record.outcome) == (200, Outcome.COMPLETED)
            assert record.usage == answer.usage
            assert answer.usage.source is UsageSource.PROVIDER
            assert DONE not in b"\n" + answer.body

    def teardown(self) -> None:
        while self.shell.works or self.phase in ("waiting", "sent", "answering"):
            if self.shell.works:
                self.shell.work_once()
            else:
                self.phase = "over"
                self.listener.on_failure(upstream_error(502, "failed", "upstream_broken"))
        if not hasattr(self, "relay"):
            return
        (record,) = self.records

        assert not self.reads_on
        assert record.error_code != "internal_error"
        assert self.client_left == (self.done is None)
        assert self.client_left == (record.outcome is Outcome.CLIENT_ABORTED)
        assert (record.charge is None) == (record.usage is None)
        assert self.written.count(DONE) <= 1
        assert len(self.stored) <= 1
        if record.outcome is Outcome.COMPLETED:
            assert record.charge is not None
            assert ("hit" in self.cache) == (record.usage.source is UsageSource.CACHE)
            if "miss" in self.cache:
                assert bool(self.stored) == (record.usage.source is UsageSource.PROVIDER)
        if record.outcome is Outcome.UPSTREAM_FAILED:
            assert DONE not in self.written

    @staticmethod
    def head(status: int, *, events: bool) -> AnswerHead:
        return AnswerHead(
            status=status,
            lines=b"",
            request_id=None,
            is_event_stream=events,
            is_encoded=False,
            is_framed=True,
        )


World.TestCase.settings = settings(max_examples=300, stateful_step_count=20, deadline=None)
TestWorld = World.TestCase


@pytest.mark.parametrize("streams_tokens", [None, True, False])
def test_nothing_passes_once_the_client_has_left(*, streams_tokens: bool | None) -> None:
    """Too seldom found by chance: it takes a provider whose answers are read to their end."""
    world = World()
    world.a_request_comes(
        refusal=None,
        model="openai/gpt",
        prompt="Hello",
        stream=True,
        chunked=True,
        leaving=frozenset({"client"}),
        cache="off",
        streams_tokens=streams_tokens,
        on_disconnect=OnDisconnect.DRAIN,
    )
    world.it_is_sent()
    world.the_head_comes(status=200, events=True)
    world.chunks_come(events=USUAL[:1] * 4)
    passed = len(world.passed)
    world.the_client_leaves()
    assert world.reads_on
    world.chunks_come(events=USUAL[:1] * 4)

    assert passed == len(world.passed) > 0
    world.teardown()
