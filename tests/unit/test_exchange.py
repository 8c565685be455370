"""An exchange from its first byte to its bill, in dialogues."""

from __future__ import annotations

import msgspec
import pytest

from korad.auth import digest_key
from korad.domain.exchange import Outcome, RequestHead
from korad.domain.upstream import Dialect
from korad.domain.usage import Usage, UsageSource
from korad.errors import ClientError, ExchangeStateError, UpstreamRefused, upstream_error
from korad.exchange import INLINE_TRANSLATED_BYTES_MAX, Exchange
from korad.wire.sse import data_event
from tests.support.rooms import PEPPER, SECRET, a_provider, some_rooms

MS, NS = 1_700_000_000_000, 1_000_000_000
ANSWER = (
    b'{"id":"c","choices":[{"message":{"content":"hi"}}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":9}}'
)


def a_head(**fields):
    given = {
        "credential_digest": digest_key(PEPPER, SECRET),
        "level": None,
        "client_request_id": None,
        "forwarded": b"",
        "error": None,
    }
    return RequestHead(**{**given, **fields})


def a_body(**members):
    return msgspec.json.encode(
        {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "a b"}], **members}
    )


def admitted(head=None, body=None, **key):
    exchange = Exchange(some_rooms(key=key), "req_1", now_ms=MS, now_ns=NS)
    exchange.admit(head or a_head(), body or a_body())
    return exchange


def dispatched(**members):
    exchange = admitted(body=a_body(**members))
    exchange.optimize()
    exchange.dispatch()
    exchange.note_sent(NS + 20_000)
    return exchange


def streaming():
    exchange = dispatched(stream=True)
    exchange.figures.count_prompt()
    exchange.begin(200, b"", None, NS + 30_000)
    return exchange


def delta(text):
    return data_event(msgspec.json.encode({"choices": [{"delta": {"content": text}}]}))


USAGE = data_event(b'{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":9}}')


def test_the_documented_request_has_the_documented_headers():
    exchange = dispatched()
    exchange.begin(200, b"x-ratelimit-limit-requests: 1\r\n", "up_1", NS + 1_000_000)
    exchange.read(ANSWER, NS + 1_020_000)
    lines, _, body = exchange.answer(b"Server: korad\r\n").partition(b"\r\n\r\n")

    assert not exchange.figures.needs_count
    assert body == ANSWER
    assert lines.split(b"\r\n")[1:-1] == [
        b"Content-Type: application/json",
        b"X-Korad-Original-Tokens: 10",
        b"X-Korad-Optimized-Tokens: 10",
        b"X-Korad-Savings-USD: $0.000000",
        b"X-Korad-Strategy: Passthrough (no optimization needed)",
        b"X-Korad-Profit-Margin: 1.50x",
        b"X-Korad-Billed-Amount: $0.000057",
        b"x-ratelimit-limit-requests: 1",
        b"x-request-id: req_1",
        b"Server: korad",
    ]
    record = exchange.settle(Outcome.COMPLETED, NS + 1_050_000)
    assert record.charge is not None
    assert record.charge.billed_nano_usd == 57_000
    assert (record.overhead_us, record.first_byte_us, record.duration_us) == (50, 1_000, 1_050)
    assert (record.upstream_request_id, record.level) == ("up_1", "medium")


def test_the_upstream_call_carries_the_forwarded_lines_and_no_virtual_key():
    exchange = admitted(a_head(forwarded=b"traceparent: 00-1\r\n"))
    call = exchange.dispatch()
    lines = call.head.split(b"\r\n")

    assert lines[-5:] == [
        b"X-Request-Id: req_1",
        b"traceparent: 00-1",
        b"Content-Length: %d" % len(call.body),
        b"",
        b"",
    ]
    assert SECRET.encode() not in call.head + call.body
    assert msgspec.json.decode(call.body)["model"] == "gpt-4o"


def test_a_stream_ends_with_its_bill_before_done():
    exchange = streaming()
    assert b"\r\nX-Korad-Original-Tokens: 9\r\n" in exchange.stream_head(b"")
    assert exchange.decoder is not None
    sent = exchange.decoder.feed(delta("hi") + USAGE + b"data: [DONE]\n\n")
    exchange.end_stream(NS + 1)
    events, trailer = exchange.stream_tail()

    assert sent == delta("hi")
    assert events == (
        b": korad billed=$0.000057 savings=$0.000000 request_id=req_1\n\ndata: [DONE]\n\n"
    )
    assert trailer == b"X-Korad-Billed-Amount: $0.000057\r\n"
    assert exchange.settle(Outcome.COMPLETED, NS + 2).overhead_us is None


def test_a_stream_cut_short_is_counted_and_never_says_done():
    exchange = streaming()
    assert exchange.decoder is not None
    exchange.decoder.feed(delta("one two three"))
    exchange.end_stream(NS + 1)
    assert exchange.figures.needs_count
    exchange.figures.count()
    events, _ = exchange.stream_error(upstream_error(502, "Gone.", "upstream_broken"))
    record = exchange.settle(Outcome.UPSTREAM_FAILED, NS + 2)

    assert b"[DONE]" not in events
    assert record.usage is not None
    assert record.usage.source is UsageSource.COUNTED
    assert (record.usage.prompt_tokens, record.usage.completion_tokens) == (9, 3)
    assert record.error_code == "upstream_broken"


@pytest.mark.parametrize(
    ("sent", "outcome", "owed"),
    [
        (False, Outcome.CLIENT_ABORTED, False),
        (True, Outcome.CLIENT_ABORTED, True),
        (True, Outcome.UPSTREAM_FAILED, False),
        (False, Outcome.REFUSED, False),
    ],
)
def test_before_an_answer_only_a_client_that_left_owes_and_only_what_was_sent(sent, outcome, owed):
    exchange = admitted()
    exchange.dispatch()
    if sent:
        exchange.note_sent(NS + 1)
    if exchange.owes(outcome):
        exchange.figures.count()
    record = exchange.settle(outcome, NS + 2)

    assert owed is (record.charge is not None)


def test_a_providers_refusal_costs_nothing():
    exchange = dispatched()
    exchange.begin(429, b"retry-after: 2\r\n", None, NS + 1)
    with pytest.raises(UpstreamRefused) as caught:
        exchange.read(b'{"error":{"message":"Slow down."}}', NS + 2)
    answer = exchange.refuse(caught.value, b"")
    record = exchange.settle(Outcome.UPSTREAM_REFUSED, NS + 3)

    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nretry-after: 2\r\n" in answer
    assert (record.status, record.charge, record.usage) == (429, None, None)


def test_the_key_is_looked_at_before_anything_else_that_is_wrong():
    wrong = ClientError(415, "No.", kind="invalid_request_error", code="unsupported_media_type")
    with pytest.raises(ClientError) as stranger:
        admitted(a_head(credential_digest=b"x" * 32, error=wrong), b"{")
    with pytest.raises(ClientError) as friend:
        admitted(a_head(error=wrong), b"{")

    assert stranger.value.code == "virtual_key_not_found"
    assert friend.value is wrong


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"allowed_models": frozenset({"openai/gpt-4o-mini"})}, "model_blocked"),
        ({"allowed_providers": frozenset({"anthropic"})}, "provider_blocked"),
        ({"active": False}, "virtual_key_blocked"),
        ({"expires_at_s": MS // 1000}, "virtual_key_blocked"),
    ],
)
def test_a_key_opens_only_what_it_may(key, code):
    with pytest.raises(ClientError) as caught:
        admitted(**key)

    assert (caught.value.status, caught.value.code) == (403, code)


@pytest.mark.parametrize(
    ("header", "key", "level"),
    [(None, None, "medium"), (None, "low", "low"), ("off", "low", "off")],
)
def test_the_header_beats_the_key_and_the_key_the_configuration(header, key, level):
    assert level == admitted(a_head(level=header), level=key).level


def test_a_key_may_have_a_margin_of_nothing():
    exchange = admitted(margin_bp=0)
    exchange.dispatch()
    exchange.begin(200, b"", None, NS)
    exchange.read(ANSWER, NS)

    assert b"Billed-Amount: $0.000000\r\n" in exchange.answer(b"")


def test_steps_out_of_order_are_refused():
    exchange = admitted()
    with pytest.raises(ExchangeStateError):
        exchange.admit(a_head(), a_body())
    with pytest.raises(ExchangeStateError):
        exchange.begin(200, b"", None, NS)
    exchange.dispatch()
    with pytest.raises(ExchangeStateError):
        exchange.dispatch()


def test_an_exchange_settles_once_from_wherever_it_is():
    exchange = Exchange(some_rooms(), "req_1", now_ms=MS, now_ns=NS)
    record = exchange.settle(Outcome.REFUSED, NS + 1_000)

    assert (record.key_id, record.model, record.charge) == (None, None, None)
    with pytest.raises(ExchangeStateError):
        exchange.settle(Outcome.REFUSED, NS)


def test_the_callers_own_id_comes_back():
    exchange = admitted(a_head(client_request_id="mine"))
    error = upstream_error(502, "m", "upstream_broken")

    assert b"\r\nX-Client-Request-Id: mine\r\n" in exchange.refuse(error, b"")


ZERO = {"temperature": 0}
COMPLETED = NS + 2_500_000_000


def stored_by(exchange):
    exchange.settle(Outcome.COMPLETED, COMPLETED)
    return exchange.to_store(COMPLETED)


def answered(**members):
    exchange = admitted(a_head(cache=True), a_body(**members))
    exchange.dispatch()
    exchange.note_sent(NS)
    exchange.begin(200, b"x-ratelimit-limit-requests: 1\r\n", "up_1", NS)
    return exchange


def a_stored_answer():
    exchange = answered()
    exchange.read(ANSWER, NS)
    exchange.answer(b"")
    return stored_by(exchange)


@pytest.mark.parametrize(
    ("header", "key", "members", "takes_part"),
    [
        (None, False, {}, False),
        (None, False, ZERO, False),
        (None, True, {}, False),
        (None, True, ZERO, True),
        (True, False, {}, True),
        (True, True, {"temperature": 1}, True),
        (False, True, ZERO, False),
        (False, False, ZERO, False),
    ],
)
def test_the_header_beats_the_keys_cache_and_asks_for_any_temperature(
    header, key, members, takes_part
):
    exchange = admitted(a_head(cache=header), a_body(**members), cache=key)

    assert takes_part == (exchange.recording is not None)


def test_a_whole_answer_may_be_stored_with_what_is_needed_to_tell_it_again():
    stored = a_stored_answer()

    assert stored.body == ANSWER
    assert (stored.original_tokens, stored.usage.completion_tokens) == (10, 9)
    assert stored.stored_ms == MS + 2_500
    assert stored.lines == b""


def test_a_hit_is_told_with_true_figures_and_owes_nothing():
    stored = a_stored_answer()
    exchange = Exchange(some_rooms(), "req_2", now_ms=stored.stored_ms + 61_999, now_ns=NS)
    exchange.admit(a_head(cache=True), a_body())
    exchange.hit(stored)
    lines, _, body = exchange.answer(b"Server: korad\r\n").partition(b"\r\n\r\n")
    record = exchange.settle(Outcome.COMPLETED, NS + 5_000)

    assert body == ANSWER
    assert lines.split(b"\r\n")[:-1] == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"X-Korad-Original-Tokens: 10",
        b"X-Korad-Optimized-Tokens: 0",
        b"X-Korad-Savings-USD: $0.000020",
        b"X-Korad-Strategy: Exact cache hit",
        b"X-Korad-Profit-Margin: 1.50x",
        b"X-Korad-Billed-Amount: $0.000000",
        b"Age: 61",
        b"x-request-id: req_2",
        b"Server: korad",
    ]
    assert (record.status, record.outcome) == (200, Outcome.COMPLETED)
    assert record.usage == Usage(prompt_tokens=0, completion_tokens=0, source=UsageSource.CACHE)
    assert record.charge is not None
    assert (record.charge.cost_pico_usd, record.charge.billed_nano_usd) == (0, 0)
    assert (record.strategy, record.original_tokens, record.optimized_tokens) == (
        "Exact cache hit",
        10,
        0,
    )
    assert (record.savings_nano_usd, record.realized_savings_nano_usd) == (20_000, 20_000)
    assert (record.first_byte_us, record.upstream_request_id) == (None, None)
    assert exchange.to_store(NS + 5_000) is None


def test_an_answer_from_the_future_has_no_negative_age():
    stored = msgspec.structs.replace(a_stored_answer(), stored_ms=MS + 9_000)
    exchange = admitted(a_head(cache=True))
    exchange.hit(stored)

    assert b"\r\nAge: 0\r\n" in exchange.answer(b"")


def test_a_hit_is_legal_once_and_only_before_the_request_is_sent():
    stored = a_stored_answer()
    for exchange in (Exchange(some_rooms(), "r", now_ms=MS, now_ns=NS), dispatched()):
        with pytest.raises(ExchangeStateError):
            exchange.hit(stored)
    exchange = admitted(a_head(cache=True))
    exchange.hit(stored)
    with pytest.raises(ExchangeStateError):
        exchange.hit(stored)
    with pytest.raises(ExchangeStateError):
        exchange.dispatch()


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"c","choices":[{"message":{"content":"hi"}}]}',
        ANSWER[:-1] + b',"x":"' + b"x" * 1024 * 1024 + b'"}',
    ],
    ids=["without usage", "too long"],
)
def test_what_is_not_whole_or_too_long_is_not_stored(body):
    exchange = answered()
    exchange.read(body, NS)
    if exchange.figures.needs_count:
        exchange.figures.count()
    exchange.answer(b"")

    assert stored_by(exchange) is None


@pytest.mark.parametrize("per_message", [3, 4, 5])
def test_the_tokens_before_hold_what_was_left_out_whatever_a_provider_wraps_messages_in(
    per_message,
):
    loose = msgspec.json.format(msgspec.json.encode([{"id": n, "on": n} for n in range(400)]))
    call = {"id": "c", "type": "function", "function": {"name": "get", "arguments": "{}"}}
    talk = [
        *({"role": role, "content": "ok"} for _ in range(40) for role in ("user", "assistant")),
        {"role": "user", "content": "get it"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": loose.decode()},
    ]
    exchange = admitted(body=a_body(messages=talk))
    exchange.optimize()
    exchange.dispatch()
    exchange.figures.count_prompt()
    before, after = exchange.figures._received, exchange.figures._sent
    reported = after.text + per_message * after.messages + 3
    exchange.begin(200, b"", None, NS)
    exchange.read(ANSWER.replace(b'prompt_tokens":10', b'prompt_tokens":%d' % reported), NS)
    exchange.answer(b"")
    record = exchange.settle(Outcome.COMPLETED, NS)

    assert before.text > 1.5 * after.text
    original = before.text + per_message * before.messages + 3
    assert reported == record.optimized_tokens
    assert original == record.original_tokens


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""])
def test_only_a_finished_stream_is_stored(end):
    exchange = admitted(a_head(cache=True), a_body(stream=True))
    exchange.dispatch()
    exchange.figures.count_prompt()
    exchange.begin(200, b"", None, NS)
    exchange.stream_head(b"")
    assert exchange.decoder is not None
    assert exchange.recording is not None
    exchange.recording.take(exchange.decoder.feed(delta("hi") + USAGE + end))
    exchange.end_stream(NS)
    exchange.stream_tail()
    stored = stored_by(exchange)

    assert (delta("hi") if end else None) == (stored and stored.body)


def test_only_status_200_is_stored():
    exchange = admitted(a_head(cache=True))
    exchange.dispatch()
    exchange.begin(203, b"", None, NS)
    exchange.read(ANSWER, NS)
    exchange.answer(b"")

    assert stored_by(exchange) is None


def for_claude(text, **members):
    row = a_provider("anthropic", dialect=Dialect.ANTHROPIC)
    exchange = Exchange(some_rooms(row), "req_1", now_ms=MS, now_ns=NS)
    messages = [{"role": "user", "content": text}]
    body = a_body(model="anthropic/claude-sonnet-4-5", messages=messages, **members)
    exchange.admit(a_head(), body)
    return exchange


@pytest.mark.parametrize("level", ["off", "medium"])
def test_a_long_prompt_is_not_translated_on_the_event_loop(level, monkeypatch):
    exchange = for_claude("word " * INLINE_TRANSLATED_BYTES_MAX)
    exchange.level = level

    assert not exchange.optimize_at_once()
    exchange.optimize()
    codec = exchange.destination.codec
    monkeypatch.setattr(codec, "build_body", lambda *_: pytest.fail("translated once more"))
    assert b'"max_tokens"' in exchange.dispatch().body


def test_a_short_prompt_is_translated_at_once():
    exchange = for_claude("word")

    assert exchange.optimize_at_once()
    assert b'"max_tokens"' in exchange.dispatch().body


def test_what_cannot_be_translated_is_told_at_the_same_place():
    exchange = for_claude("word " * INLINE_TRANSLATED_BYTES_MAX, logprobs=True)
    exchange.optimize()

    with pytest.raises(ClientError) as caught:
        exchange.dispatch()
    assert caught.value.status == 400
