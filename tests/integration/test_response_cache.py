"""The response cache on real sockets, on both lanes: who is answered, with what, and who is not."""

from __future__ import annotations

import asyncio
import threading

import orjson
import pytest

from korad.adapters.key_store import open_key_store
from korad.clock import unix_ns
from korad.domain.exchange import Outcome
from korad.simulator import Fault, Script
from korad.upstream import AnswerHead
from korad.web import shell
from korad.web.relay import Relay
from tests.support.proxy import NOW_S, running_proxy
from tests.support.raw_http import KEY, RawConnection, ask, chat, request
from tests.support.simulator import data_events

ON = ("X-Korad-Cache: on",)
OFF = ("X-Korad-Cache: off",)
CLAUDE = "anthropic/claude-sonnet-4-6"
CACHING_KEY = "sk-bf-integration-caching"
SECOND_KEY = "sk-bf-integration-second"
MODELS = pytest.mark.parametrize("model", ["openai/gpt-4o", CLAUDE])
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(params=["fast", "slow"])
async def proxy(request, tmp_path):
    lane = "" if request.param == "fast" else "fast_lane = false"
    with open_key_store(tmp_path / "state") as store:
        store.create("caching", now_s=NOW_S, secret=CACHING_KEY, cache=True)
        store.create("second", now_s=NOW_S, secret=SECOND_KEY, cache=True)
    async with running_proxy(tmp_path, server=f"access_log = false\n{lane}") as running:
        yield running


@pytest.fixture
def later(monkeypatch):
    """Return what moves the proxy's wall clock on."""

    def move(seconds: float) -> None:
        monkeypatch.setattr(shell, "unix_ns", lambda: unix_ns() + round(seconds * 1e9))

    return move


async def ask_with(proxy, *, lines=ON, key=None, **members):
    who = {} if key is None else {"key": key}
    return await ask(proxy.port, request(chat(**members), lines=lines, **who))


def asked(proxy) -> int:
    """Return how many requests the provider has seen."""
    return len(proxy.simulator.requests)


def is_hit(answer) -> bool:
    return answer.headers["x-korad-strategy"] == "Exact cache hit"


async def record_of(proxy, answer):
    path = f"/v1/korad/requests/{answer.headers['x-request-id']}"
    return (await ask(proxy.port, request(method="GET", path=path))).json


async def metrics_of(proxy):
    text = (await ask(proxy.port, request(method="GET", path="/metrics"))).body.decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: int(float(amount)) for name, _, amount in lines}


# ── a hit ────────────────────────────────────────────────────────────────────────────────────


@MODELS
async def test_the_second_answer_is_the_first_at_no_cost(proxy, model, later):
    first = await ask_with(proxy, model=model)
    later(90)
    second = await ask_with(proxy, model=model)
    told = second.headers

    assert asked(proxy) == 1
    assert (second.status, second.body) == (200, first.body)
    assert not is_hit(first)
    assert is_hit(second)
    assert "age" not in first.headers
    assert 89 <= int(told["age"]) <= 91
    assert told["x-korad-original-tokens"] == first.headers["x-korad-original-tokens"]
    assert told["x-korad-optimized-tokens"] == "0"
    tokens = int(told["x-korad-original-tokens"])
    assert told["x-korad-savings-usd"] == f"${tokens * 2 / 1_000_000:.6f}"
    assert (told["x-korad-billed-amount"], told["x-korad-profit-margin"]) == ("$0.000000", "1.50x")
    assert told["x-request-id"] != first.headers["x-request-id"]
    assert not [name for name in told if name.startswith("x-ratelimit")]


@MODELS
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
async def test_a_stream_is_told_again_as_a_stream(proxy, model, options):
    first = await ask_with(proxy, model=model, stream=True, **options)
    second = await ask_with(proxy, model=model, stream=True, **options)
    *events, comment, done = [part for part in second.body.split(b"\n\n") if part]

    assert asked(proxy) == 1
    assert data_events(second.body) == data_events(first.body)
    assert done == b"data: [DONE]"
    assert comment.startswith(b": korad billed=$0.000000 savings=$0.0000")
    assert second.headers["x-request-id"].encode() in comment
    assert all(event.startswith(b"data: {") for event in events)
    assert second.trailers == b"X-Korad-Billed-Amount: $0.000000\r\n"
    assert first.trailers != second.trailers
    assert is_hit(second)
    assert second.headers["x-korad-optimized-tokens"] == "0"
    assert second.headers["content-type"] == first.headers["content-type"]


async def test_a_stream_is_told_again_in_one_piece(proxy):
    await ask_with(proxy, stream=True)
    async with RawConnection(proxy.port) as connection:
        connection.send(request(chat(stream=True), lines=ON))
        await connection.head()
        only, end = await connection.chunk(), await connection.chunk()

    assert only.endswith(b"data: [DONE]\n\n")
    assert end == b""


@STREAMED
async def test_the_record_says_that_it_was_a_hit(proxy, stream):
    first = await record_of(proxy, await ask_with(proxy, stream=stream))
    second = await record_of(proxy, await ask_with(proxy, stream=stream))

    assert second["outcome"] == "completed"
    assert second["strategy"] == "Exact cache hit"
    assert second["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "source": "cache"}
    assert (second["charge"]["cost_pico_usd"], second["charge"]["billed_nano_usd"]) == (0, 0)
    assert second["original_tokens"] == first["original_tokens"]
    assert second["optimized_tokens"] == 0
    assert second["savings_nano_usd"] == second["realized_savings_nano_usd"] > 0
    assert "upstream_request_id" in second
    assert second["upstream_request_id"] is None


async def test_an_http10_client_gets_the_stream_too(proxy):
    first = await ask_with(proxy, stream=True)
    second = await ask(proxy.port, request(chat(stream=True), lines=ON, version="1.0"))

    assert asked(proxy) == 1
    assert data_events(second.body) == data_events(first.body)
    assert b"\r\nTransfer-Encoding" not in second.head


async def test_the_names_of_adjusted_parameters_are_told_again(proxy):
    answers = [await ask_with(proxy, model=CLAUDE, temperature=1.5) for _ in range(2)]

    assert [False, True] == [is_hit(answer) for answer in answers]
    assert ["temperature"] * 2 == [answer.headers["x-korad-adjusted"] for answer in answers]


async def test_a_connection_goes_on_after_a_hit(proxy):
    await ask_with(proxy)
    async with RawConnection(proxy.port) as connection:
        answers = [await connection.ask(request(chat(), lines=ON)) for _ in range(3)]

    assert asked(proxy) == 1
    assert all(is_hit(answer) for answer in answers)


async def test_hits_and_misses_are_counted(proxy):
    for _ in range(3):
        await ask_with(proxy)
    await ask_with(proxy, lines=())
    metrics = await metrics_of(proxy)

    assert (metrics["korad_cache_hits_total"], metrics["korad_cache_misses_total"]) == (2, 1)
    assert metrics["korad_cache_bytes"] == proxy.app._answers.memory.bytes_held > 0


# ── who takes part ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "lines", "members", "hits"),
    [
        (None, (), {"temperature": 0}, False),
        (None, ON, {}, True),
        (None, ON, {"temperature": 1}, True),
        (CACHING_KEY, (), {"temperature": 0}, True),
        (CACHING_KEY, (), {"temperature": 0.5}, False),
        (CACHING_KEY, (), {}, False),
        (CACHING_KEY, ON, {}, True),
        (CACHING_KEY, OFF, {"temperature": 0}, False),
    ],
)
async def test_the_header_beats_the_key_and_asks_for_any_temperature(
    proxy, key, lines, members, hits
):
    for _ in range(2):
        answer = await ask_with(proxy, key=key, lines=lines, **members)

    assert hits == is_hit(answer)
    assert asked(proxy) == (1 if hits else 2)


async def test_another_tenant_never_gets_the_answer(proxy):
    answers = [
        await ask_with(proxy, key=key, lines=(), temperature=0)
        for key in (CACHING_KEY, SECOND_KEY, CACHING_KEY, SECOND_KEY)
    ]

    assert [False, False, True, True] == [is_hit(answer) for answer in answers]
    assert asked(proxy) == 2


async def test_a_revoked_key_gets_no_stored_answer(proxy):
    await ask_with(proxy, key=CACHING_KEY)
    with open_key_store(proxy.settings.state_dir) as store:
        store.revoke("caching")
    await proxy.app._watch.refresh()
    answer = await ask_with(proxy, key=CACHING_KEY)

    assert answer.error == (403, "permission_error", "virtual_key_blocked")


@pytest.mark.parametrize(
    ("lines", "members"),
    [
        (("X-Savings-Level: low",), {}),
        ((), {"model": "openai/gpt-4o-mini"}),
        ((), {"temperature": 0.7}),
        ((), {"stream": True}),
        ((), {"messages": [{"role": "user", "content": "Hello, World!"}]}),
        ((), {"user": "somebody"}),
    ],
)
async def test_what_differs_is_asked_anew(proxy, lines, members):
    await ask_with(proxy)
    answer = await ask_with(proxy, lines=(*ON, *lines), **members)

    assert not is_hit(answer)
    assert asked(proxy) == 2


async def test_the_order_of_members_does_not_differ(proxy):
    body = chat(temperature=0.5)
    for members in (body, dict(reversed(body.items()))):
        answer = await ask(proxy.port, request(orjson.dumps(members), lines=ON))

    assert is_hit(answer)


async def test_an_answer_grows_old(proxy, later):
    await ask_with(proxy)
    later(3_590)
    assert is_hit(await ask_with(proxy))

    later(3_610)

    assert not is_hit(await ask_with(proxy))
    later(3_620)
    assert is_hit(await ask_with(proxy))


# ── what is never kept ───────────────────────────────────────────────────────────────────────


@STREAMED
@pytest.mark.parametrize(
    "script",
    [
        Script(fault=Fault.ERROR_STATUS, status=429),
        Script(fault=Fault.ERROR_STATUS, status=500),
        Script(fault=Fault.RESET_MID_STREAM, completion_tokens=12),
        Script(fault=Fault.EARLY_CLOSE, completion_tokens=12),
        Script(fault=Fault.TRUNCATED_JSON, completion_tokens=12),
        Script(fault=Fault.ERROR_FIRST_EVENT),
        Script(usage=False),
    ],
    ids=lambda script: script.fault.value + str(script.status) if script.fault else "no usage",
)
@MODELS
@pytest.mark.parametrize("proxy", ["fast"], indirect=True)
async def test_no_error_and_no_partial_answer_is_kept(proxy, script, stream, model):
    proxy.simulator.script = script
    first = await ask_with(proxy, model=model, stream=stream)
    assert len(proxy.app._answers.memory) == 0
    proxy.simulator.script = Script()
    second = await ask_with(proxy, model=model, stream=stream)

    assert second.status == 200
    assert not is_hit(second)
    assert second.body != first.body


async def test_a_refusal_of_our_own_is_not_kept(proxy):
    for _ in range(2):
        answer = await ask_with(proxy, model=CLAUDE, n=2)

        assert answer.error == (400, "invalid_request_error", "unsupported_parameter")
    assert len(proxy.app._answers.memory) == 0


async def test_the_answer_of_a_client_that_left_is_not_kept(proxy):
    proxy.simulator.script = Script(fault=Fault.STALL_MID_STREAM, fault_after_chunks=3)
    async with RawConnection(proxy.port) as connection:
        connection.send(request(chat(stream=True), lines=ON))
        await connection.head()
        await connection.chunk()
    await proxy.simulator.until(lambda: proxy.entry.aborted_at is not None)
    proxy.simulator.script = Script()

    assert not is_hit(await ask_with(proxy, stream=True))


class Held:
    """Stands for the pool, a far-away store and the record sink: keeps what it is given."""

    def __init__(self):
        self.records = []
        self.sent = []
        self.stored = []
        self.lookups = []
        self.was_sent = asyncio.Event()
        self.was_noted = asyncio.Event()

    def send(self, call, listener):
        self.sent.append(call)
        self.was_sent.set()
        listener.on_sent()
        return self

    def cancel(self, _listener):
        pass

    resume = cancel

    def find(self, _key, _now_ms, then):
        self.lookups.append(then)

    def put(self, _key, answer):
        self.stored.append(answer)

    def note(self, record):
        self.records.append(record)
        self.was_noted.set()


def held_up(proxy, **members):
    """Return a relay whose request waits for a look-up, and what it is held up by."""
    shell, held = proxy.app._shell, Held()
    shell.pool = shell.records = shell.answers = held
    head = shell.heads.read({b"x-bf-vk": KEY.encode(), b"x-korad-cache": b"on"})
    relay = Relay(shell, client=Nobody(), keep_alive=True, chunked=True)
    relay.start(head, orjson.dumps(chat(**members)))
    return relay, held


class Nobody:
    writer = None

    def write(self, data):
        pass

    def relay_done(self, *, keep_alive):
        pass


@pytest.mark.parametrize("proxy", ["fast"], indirect=True)
@pytest.mark.parametrize("found", [True, False])
async def test_a_client_that_leaves_during_the_look_up_owes_nothing(proxy, found, caplog):
    await ask_with(proxy)
    (stored,) = proxy.app._answers.memory._entries.values()
    relay, held = held_up(proxy)
    relay.client_gone()
    (then,) = held.lookups
    then(stored if found else None)

    assert [(Outcome.CLIENT_ABORTED, None)] == [(r.outcome, r.charge) for r in held.records]
    assert (held.sent, held.stored, caplog.records) == ([], [], [])
    assert proxy.app._shell.inflight == 0


@pytest.mark.parametrize("proxy", ["fast"], indirect=True)
async def test_a_whole_stream_whose_client_left_before_its_end_was_written_is_not_kept(proxy):
    messages = [{"role": "user", "content": "word " * 60_000}]
    relay, held = held_up(proxy, stream=True, messages=messages, model="openai/gpt-4o")
    may_count = threading.Event()
    proxy.app._counters.submit(may_count.wait, 5)
    held.lookups[0](None)
    await held.was_sent.wait()
    relay.on_head(
        AnswerHead(
            status=200,
            lines=b"",
            request_id=None,
            is_event_stream=True,
            is_encoded=False,
            is_framed=True,
        )
    )
    relay.on_body(
        b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
        b"data: [DONE]\n\n"
    )
    relay.client_gone()
    may_count.set()
    await held.was_noted.wait()

    assert [Outcome.CLIENT_ABORTED] == [record.outcome for record in held.records]
    assert held.records[0].usage.prompt_tokens == 7
    assert held.stored == []


async def test_a_client_that_leaves_a_long_stored_stream_unread_harms_nobody(proxy):
    proxy.simulator.script = Script(completion_tokens=3_000)
    first = await ask_with(proxy, stream=True)
    async with RawConnection(proxy.port) as connection:
        connection.send(request(chat(stream=True), lines=ON))
        await connection.head()
    second = await ask_with(proxy, stream=True)

    assert asked(proxy) == 1
    assert data_events(second.body) == data_events(first.body)
    assert proxy.app._shell.inflight == 0


async def test_two_at_once_both_go_upstream_and_the_next_does_not(proxy):
    proxy.simulator.script = Script(latency_s=3_600)
    async with RawConnection(proxy.port) as one, RawConnection(proxy.port) as other:
        for connection in (one, other):
            connection.send(request(chat(), lines=ON))
        await proxy.simulator.until(lambda: asked(proxy) == 2)
    proxy.simulator.script = Script()
    answers = await asyncio.gather(*(ask_with(proxy, seed=1) for _ in range(2)))
    last = await ask_with(proxy, seed=1)

    assert len({answer.body for answer in answers}) <= 2
    assert is_hit(last)
