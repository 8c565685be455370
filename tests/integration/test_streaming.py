"""Streams on real sockets: on time, at the reader's pace, honest about how they end."""

from __future__ import annotations

import asyncio
import re

import orjson
import pytest

from korad.simulator import Fault, Script
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.simulator import data_events

STREAM = request(chat(stream=True))
MODELS = pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-6"])
IDLE = "idle_timeout_s = 0.3\nfirst_byte_timeout_s = 0.3"


@pytest.fixture
async def proxy(tmp_path):
    async with running_proxy(tmp_path) as running:
        yield running


def billed(tokens):
    """Return the header's text for so many tokens at $2.00 a million and a margin of 1.50."""
    return f"${tokens * 3 / 1_000_000:.6f}"


async def record_of(proxy, request_id):
    path = f"/v1/korad/requests/{request_id}"
    return (await ask(proxy.port, request(method="GET", path=path))).json


def looks_no_more(proxy):
    """Take away its timer: from now on it does at once what it does, or never."""
    proxy.app._wheel.stop()


# ── on time ──────────────────────────────────────────────────────────────────────────────────


@MODELS
async def test_every_event_arrives_before_the_next_is_made(proxy, model):
    proxy.simulator.script = Script(fault=Fault.STALL_MID_STREAM, fault_after_chunks=3)
    async with RawConnection(proxy.port) as connection:
        connection.send(request(chat(model=model, stream=True)))
        head = await connection.head()
        # The provider has gone silent, and all that it sent is here all the same.
        first = await connection.chunk()

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"chat.completion.chunk" in first


async def test_the_head_comes_before_the_first_event(proxy):
    proxy.simulator.script = Script(first_token_s=3_600)
    async with RawConnection(proxy.port) as connection:
        connection.send(STREAM)
        head = await connection.head()

    assert b"\r\nX-Korad-Original-Tokens: " in head
    assert b"\r\nTrailer: X-Korad-Billed-Amount\r\n" in head
    assert b"\r\nX-Korad-Billed-Amount: " not in head


# ── at the reader's pace ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fast_lane", ["true", "false"])
async def test_a_reader_that_stops_stops_the_provider(tmp_path, fast_lane):
    server = f"access_log = false\nfast_lane = {fast_lane}"
    async with running_proxy(tmp_path, server=server) as proxy:
        proxy.simulator.script = Script(text="word " * 200_000)
        async with RawConnection(proxy.port, read_buffer_bytes=4_096) as connection:
            connection.send(STREAM)
            await connection.head()
            sent = -1
            while sent < proxy.entry.bytes_sent:
                sent = proxy.entry.bytes_sent
                await asyncio.sleep(0.3)

            # The kernel's buffers hold some MiB; the whole stream has more than 50.
            assert sent < 25_000_000
            assert not proxy.entry.completed

            while await connection.chunk():
                if proxy.entry.bytes_sent > sent:
                    break

        assert proxy.entry.bytes_sent > sent


async def test_a_reader_that_never_comes_back_is_cut_off(tmp_path):
    server = "access_log = false\nwrite_stall_timeout_s = 0.3"
    async with running_proxy(tmp_path, server=server) as proxy:
        proxy.simulator.script = Script(text="word " * 200_000)
        async with RawConnection(proxy.port, read_buffer_bytes=4_096) as connection:
            connection.send(STREAM)
            await connection.head()
            await proxy.simulator.until(lambda: proxy.entry.aborted_at is not None, 10)

    assert not proxy.entry.completed


# ── clients that leave ───────────────────────────────────────────────────────────────────────


@MODELS
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fast_lane", ["true", "false"])
async def test_a_client_that_leaves_cancels_the_provider_at_once(
    tmp_path, model, stream, fast_lane
):
    server = f"access_log = false\nfast_lane = {fast_lane}"
    async with running_proxy(tmp_path, server=server) as proxy:
        simulator = proxy.simulator
        simulator.script = Script(fault=Fault.STALL_MID_STREAM)
        async with RawConnection(proxy.port) as connection:
            connection.send(request(chat(model=model, stream=stream)))
            await simulator.until(lambda: simulator.ledger and proxy.entry.bytes_sent > 500)
            looks_no_more(proxy)
        await simulator.until(lambda: proxy.entry.aborted_at is not None)

        assert 0 == simulator.connections


async def test_a_client_that_leaves_before_the_answer_is_billed_its_prompt(proxy):
    proxy.simulator.script = Script(fault=Fault.STALL_BEFORE_HEAD)
    async with RawConnection(proxy.port) as connection:
        connection.send(request(chat()))
        await proxy.simulator.until(lambda: proxy.simulator.requests)
        looks_no_more(proxy)
    await proxy.simulator.until(lambda: proxy.entry.aborted_at is not None)
    record = await record_of(proxy, proxy.simulator.requests[0].header("x-request-id"))

    assert "client_aborted" == record["outcome"]
    assert 0 < record["usage"]["prompt_tokens"]
    assert 0 == record["usage"]["completion_tokens"]
    assert 0 < record["charge"]["billed_nano_usd"]


# ── figures at the end ───────────────────────────────────────────────────────────────────────


@MODELS
@pytest.mark.parametrize("odd", [False, True], ids=["even", "odd pieces"])
async def test_trailer_comment_and_record_agree_with_the_provider_s_books(proxy, model, odd):
    proxy.simulator.script = Script(completion_tokens=37, odd_chunks=odd, cached_tokens=0)
    answer = await ask(proxy.port, request(chat(model=model, stream=True)))
    tokens = proxy.entry.prompt_tokens + proxy.entry.completion_tokens
    amount = billed(tokens)
    comment, done = answer.body.rstrip(b"\n").split(b"\n\n")[-2:]
    record = await record_of(proxy, answer.headers["x-request-id"])

    assert f"X-Korad-Billed-Amount: {amount}\r\n".encode() == answer.trailers
    assert comment.startswith(f": korad billed={amount} ".encode())
    assert b"data: [DONE]" == done
    assert tokens * 3_000 == record["charge"]["billed_nano_usd"]


async def test_a_whole_answer_carries_its_figures_in_the_head(proxy):
    answer = await ask(proxy.port, request(chat()))
    usage = answer.json["usage"]

    assert billed(usage["total_tokens"]) == answer.headers["x-korad-billed-amount"]
    assert str(usage["prompt_tokens"]) == answer.headers["x-korad-original-tokens"]
    assert str(usage["prompt_tokens"]) == answer.headers["x-korad-optimized-tokens"]
    assert "1.50x" == answer.headers["x-korad-profit-margin"]


@MODELS
@pytest.mark.parametrize("wanted", [True, False, None])
async def test_the_usage_chunk_is_sent_to_who_asked_for_it(proxy, model, wanted):
    options = {} if wanted is None else {"stream_options": {"include_usage": wanted}}
    answer = await ask(proxy.port, request(chat(model=model, stream=True, **options)))
    reports = [each["usage"] for each in data_events(answer.body)[:-1] if each.get("usage")]

    assert (1 if wanted else 0) == len(reports)
    assert all(proxy.entry.prompt_tokens == each["prompt_tokens"] for each in reports)


@MODELS
async def test_a_stream_without_report_is_counted(proxy, model):
    proxy.simulator.script = Script(text="one two three four five", usage=False)
    answer = await ask(proxy.port, request(chat(model=model, stream=True)))
    record = await record_of(proxy, answer.headers["x-request-id"])

    assert answer.body.endswith(b"data: [DONE]\n\n")
    # Claude's tokens are smaller than those that are counted here.
    least = 5 if model.startswith("openai/") else 6
    assert least == record["usage"]["completion_tokens"]
    assert record["charge"]["billed_nano_usd"] == 3_000 * (
        record["usage"]["prompt_tokens"] + record["usage"]["completion_tokens"]
    )


async def test_an_http10_client_gets_a_stream_that_ends_with_the_connection(proxy):
    answer = await ask(proxy.port, request(chat(stream=True), version="1.0"))

    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert "transfer-encoding" not in answer.headers
    assert "close" == answer.headers["connection"]


# ── every fault ──────────────────────────────────────────────────────────────────────────────

BROKEN = (502, "upstream_error", "upstream_broken")
TIMEOUT = (504, "upstream_error", "upstream_timeout")
BEFORE_HEAD = {
    Fault.RESET_BEFORE_HEAD: BROKEN,
    Fault.STALL_BEFORE_HEAD: TIMEOUT,
    Fault.CLOSE_WITHOUT_ANSWER: BROKEN,
    Fault.GARBAGE: BROKEN,
}
WHOLE = BEFORE_HEAD | {
    Fault.RESET_MID_STREAM: BROKEN,
    Fault.STALL_MID_STREAM: TIMEOUT,
    Fault.TRUNCATED_JSON: BROKEN,
    Fault.WRONG_CONTENT_LENGTH: BROKEN,
    Fault.EARLY_CLOSE: BROKEN,
    Fault.ERROR_MID_STREAM: BROKEN,
}
MID_STREAM = {
    Fault.RESET_MID_STREAM: "upstream_broken",
    Fault.STALL_MID_STREAM: "upstream_timeout",
    Fault.TRUNCATED_JSON: "upstream_broken",
    Fault.EARLY_CLOSE: "upstream_broken",
}
HARMLESS = (Fault.NO_USAGE, Fault.SLOW_HEAD, Fault.REFUSE_KEEPALIVE, Fault.STALE_KEEPALIVE)


@pytest.fixture
async def impatient(tmp_path):
    async with running_proxy(tmp_path, openai=IDLE) as running:
        yield running


@pytest.mark.parametrize(("fault", "expected"), WHOLE.items(), ids=[f.value for f in WHOLE])
async def test_a_fault_is_an_error_of_its_own_kind(impatient, fault, expected):
    impatient.simulator.script = Script(fault=fault)
    answer = await ask(impatient.port, request(chat()))

    assert expected == answer.error
    assert "x-korad-billed-amount" not in answer.headers


@pytest.mark.parametrize(
    ("fault", "expected"), BEFORE_HEAD.items(), ids=[f.value for f in BEFORE_HEAD]
)
async def test_a_fault_before_a_stream_s_head_is_an_error_answer(impatient, fault, expected):
    impatient.simulator.script = Script(fault=fault)
    answer = await ask(impatient.port, STREAM)
    record = await record_of(impatient, answer.headers["x-request-id"])

    assert expected == answer.error
    assert record["charge"] is None


@pytest.mark.parametrize(("fault", "code"), MID_STREAM.items(), ids=[f.value for f in MID_STREAM])
async def test_a_stream_that_breaks_says_so_and_is_never_done(impatient, fault, code):
    impatient.simulator.script = Script(fault=fault, fault_after_chunks=5, completion_tokens=40)
    answer = await ask(impatient.port, STREAM)
    *chunks, last = data_events(answer.body)
    record = await record_of(impatient, answer.headers["x-request-id"])

    assert 200 == answer.status
    assert all("choices" in each for each in chunks)
    assert ("upstream_error", code) == (last["error"]["type"], last["error"]["code"])
    assert b"[DONE]" not in answer.body
    assert "upstream_failed" == record["outcome"]
    assert answer.trailers == (
        b"X-Korad-Billed-Amount: $%.6f\r\n" % (record["charge"]["billed_nano_usd"] / 1e9)
    )


@pytest.mark.parametrize("fault", [Fault.ERROR_MID_STREAM, Fault.ERROR_FIRST_EVENT])
@MODELS
async def test_an_error_the_provider_streams_is_passed_on(proxy, fault, model):
    proxy.simulator.script = Script(fault=fault, status=500)
    answer = await ask(proxy.port, request(chat(model=model, stream=True)))

    assert b"[DONE]" not in answer.body
    if answer.status == 200:
        assert data_events(answer.body)[-1]["error"]["message"]
    else:
        assert answer.status >= 500
        assert answer.json["error"]["message"]


@pytest.mark.parametrize("fault", HARMLESS, ids=[fault.value for fault in HARMLESS])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_harmless_fault_is_not_noticed(proxy, fault, stream):
    proxy.simulator.script = Script(fault=fault)
    answers = [await ask(proxy.port, request(chat(stream=stream))) for _ in range(3)]

    assert [200] * 3 == [answer.status for answer in answers]


@MODELS
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 503, 529])
async def test_the_provider_s_error_status_and_message_are_passed_on(proxy, model, stream, status):
    proxy.simulator.script = Script(fault=Fault.ERROR_STATUS, status=status, retry_after_s=7)
    answer = await ask(proxy.port, request(chat(model=model, stream=stream)))

    assert answer.json["error"]["message"]
    assert {"message", "type", "param", "code"} == answer.json["error"].keys()
    assert ("7" if status == 429 else None) == answer.headers.get("retry-after")
    if status not in (401, 403, 529):
        assert status == answer.status


async def test_rate_limit_headers_of_both_dialects_reach_the_client(proxy):
    for model in ("openai/gpt-4o", "anthropic/claude-sonnet-4-6"):
        answer = await ask(proxy.port, request(chat(model=model)))

        assert re.fullmatch(r"\d+", answer.headers["x-ratelimit-remaining-requests"])


async def test_nothing_of_an_error_is_the_provider_s_secret(impatient):
    for fault in WHOLE:
        impatient.simulator.script = Script(fault=fault)
        answer = await ask(impatient.port, request(chat()))

        assert b"sk-" not in answer.head + answer.body
        assert orjson.loads(answer.body)["error"]["param"] is None
