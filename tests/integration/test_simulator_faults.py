"""Every fault of the simulator as a client on a real socket meets it, and what the ledger says."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from korad.simulator import Fault, Script, Simulator
from tests.support.simulator import RawClient, anthropic_body, data_events, openai_body

BODIES = pytest.mark.parametrize(
    "make_body", [openai_body, anthropic_body], ids=["openai", "anthropic"]
)
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
async def simulator():
    async with Simulator() as running:
        yield running


def only_entry(simulator):
    (entry,) = simulator.ledger.values()
    return entry


async def meet(simulator, fault, body, **script):
    """Return all bytes until the simulator closes; a reset is shown as such at their end."""
    simulator.script = Script(fault=fault, completion_tokens=20, **script)
    received = b""
    async with RawClient(simulator) as client:
        client.post(body)
        try:
            while data := await client.some():
                received += data
        except ConnectionResetError:
            received += b"<reset>"
    return received


@BODIES
@STREAMED
async def test_reset_before_head(simulator, make_body, stream):
    assert b"<reset>" == await meet(simulator, Fault.RESET_BEFORE_HEAD, make_body(stream=stream))
    assert (0, 0, False, None) == (
        only_entry(simulator).bytes_sent,
        only_entry(simulator).completion_tokens,
        only_entry(simulator).completed,
        only_entry(simulator).aborted_at,
    )


@BODIES
async def test_reset_mid_stream_after_so_many_events(simulator, make_body):
    received = await meet(
        simulator, Fault.RESET_MID_STREAM, make_body(stream=True), fault_after_chunks=6
    )

    assert received.endswith(b"<reset>")
    assert 6 == received.count(b"data: ")
    assert 0 < only_entry(simulator).completion_tokens < 20
    assert not only_entry(simulator).completed
    assert len(received) - len(b"<reset>") == only_entry(simulator).bytes_sent


@BODIES
async def test_reset_in_the_middle_of_a_body(simulator, make_body):
    received = await meet(simulator, Fault.RESET_MID_STREAM, make_body())

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"<reset>")


@BODIES
@STREAMED
@pytest.mark.parametrize("fault", [Fault.STALL_BEFORE_HEAD, Fault.STALL_MID_STREAM])
async def test_a_stall_lasts_until_the_client_leaves(simulator, make_body, stream, fault):
    simulator.script = Script(fault=fault)
    async with RawClient(simulator) as client:
        client.post(make_body(stream=stream))
        if fault is Fault.STALL_MID_STREAM:
            await client.head()
        await simulator.until(lambda: bool(simulator.ledger))
        before = only_entry(simulator).aborted_at
        client.close()
        await simulator.until(lambda: only_entry(simulator).aborted_at is not None)

    assert before is None
    assert not only_entry(simulator).completed


@BODIES
async def test_truncated_json_in_a_body(simulator, make_body):
    simulator.script = Script(fault=Fault.TRUNCATED_JSON)
    async with RawClient(simulator) as client:
        client.post(make_body())
        status, _, body = await client.answer()

    assert 200 == status
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)


@BODIES
async def test_truncated_json_in_a_stream(simulator, make_body):
    simulator.script = Script(fault=Fault.TRUNCATED_JSON)
    async with RawClient(simulator) as client:
        client.post(make_body(stream=True))
        await client.head()
        *events, broken = await client.chunks()

    assert 3 == len(events)
    assert not broken.endswith(b"\n\n")


@BODIES
async def test_wrong_content_length_of_a_body(simulator, make_body):
    received = await meet(simulator, Fault.WRONG_CONTENT_LENGTH, make_body())
    head, _, body = received.partition(b"\r\n\r\n")

    assert len(body) + 4096 == int(head.rpartition(b"content-length: ")[2])
    assert orjson.loads(body)


@BODIES
async def test_wrong_content_length_of_a_stream(simulator, make_body):
    received = await meet(simulator, Fault.WRONG_CONTENT_LENGTH, make_body(stream=True))

    assert b"content-length: 1000000000\r\n" in received
    assert data_events(received)[-1] in ("[DONE]", {"type": "message_stop"})
    assert not only_entry(simulator).completed


@STREAMED
async def test_no_usage_from_openai(simulator, stream):
    simulator.script = Script(fault=Fault.NO_USAGE)
    options = {"stream_options": {"include_usage": True}} if stream else {}
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=stream, **options))
        body = (await client.answer())[2]

    assert b'"usage"' not in body
    assert (False, True) == (only_entry(simulator).usage_sent, only_entry(simulator).completed)


@STREAMED
async def test_no_usage_from_anthropic(simulator, stream):
    simulator.script = Script(fault=Fault.NO_USAGE)
    async with RawClient(simulator) as client:
        client.post(anthropic_body(stream=stream))
        body = (await client.answer())[2]

    assert b'"usage"' not in body
    assert (False, True) == (only_entry(simulator).usage_sent, only_entry(simulator).completed)


@BODIES
async def test_an_early_close_ends_a_stream_without_its_end_mark(simulator, make_body):
    simulator.script = Script(fault=Fault.EARLY_CLOSE, fault_after_chunks=1000)
    async with RawClient(simulator) as client:
        client.post(make_body(stream=True))
        stream = (await client.answer())[2]

    assert data_events(stream)
    assert b"[DONE]" not in stream
    assert b"message_stop" not in stream
    assert not only_entry(simulator).completed


@BODIES
async def test_an_early_close_cuts_a_body_short(simulator, make_body):
    received = await meet(simulator, Fault.EARLY_CLOSE, make_body())
    head, _, body = received.partition(b"\r\n\r\n")

    assert len(body) < int(head.rpartition(b"content-length: ")[2])


@STREAMED
async def test_close_without_answer(simulator, stream):
    assert b"" == await meet(simulator, Fault.CLOSE_WITHOUT_ANSWER, openai_body(stream=stream))


@STREAMED
async def test_garbage(simulator, stream):
    received = await meet(simulator, Fault.GARBAGE, openai_body(stream=stream))

    assert received
    assert b"HTTP/1.1" not in received


async def test_an_error_event_breaks_an_openai_stream(simulator):
    simulator.script = Script(fault=Fault.ERROR_MID_STREAM)
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=True))
        events = data_events((await client.answer())[2])

    assert ("server_error", 4) == (events[-1]["error"]["type"], len(events))


async def test_an_error_event_breaks_an_anthropic_stream(simulator):
    simulator.script = Script(fault=Fault.ERROR_MID_STREAM, status=529)
    async with RawClient(simulator) as client:
        client.post(anthropic_body(stream=True))
        stream = (await client.answer())[2]

    assert b"event: error\n" in stream
    assert "overloaded_error" == data_events(stream)[-1]["error"]["type"]


@BODIES
@STREAMED
async def test_an_error_can_hide_behind_a_200(simulator, make_body, stream):
    simulator.script = Script(fault=Fault.ERROR_FIRST_EVENT)
    async with RawClient(simulator) as client:
        client.post(make_body(stream=stream))
        status, _, body = await client.answer()
    answer = data_events(body)[0] if stream else orjson.loads(body)

    assert (200, True) == (status, "error" in answer)
    assert (False, 0) == (
        only_entry(simulator).completed,
        only_entry(simulator).completion_tokens,
    )


@STREAMED
async def test_a_slow_head_arrives_in_pieces(simulator, stream):
    simulator.script = Script(fault=Fault.SLOW_HEAD)
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=stream))
        first = await client.some()
        status_line_rest = await client.some()

    assert b"HTTP/1.1 200 OK".startswith((first + status_line_rest)[:15])
    assert len(first) < 100


async def test_a_refused_keep_alive_says_so_and_closes(simulator):
    received = await meet(simulator, Fault.REFUSE_KEEPALIVE, openai_body())

    assert b"\r\nconnection: close\r\n" in received
    assert only_entry(simulator).completed


async def test_a_stale_connection_dies_on_its_second_request_without_a_byte(simulator):
    simulator.script = Script(fault=Fault.STALE_KEEPALIVE)
    async with RawClient(simulator) as client:
        client.post(openai_body())
        first = (await client.answer())[0]
        client.post(openai_body())
        rest = await client.rest()

    assert (200, b"") == (first, rest)
    assert 1 == len(simulator.requests)


async def test_the_ledger_is_exact_for_whole_answers(simulator):
    simulator.script = Script(completion_tokens=37)
    async with RawClient(simulator) as client:
        for number, make_body in enumerate((openai_body, anthropic_body) * 2):
            stream = number > 1
            client.post(make_body(stream=stream), x_request_id=f"req_{number}")
            await client.answer()

    assert {f"req_{number}" for number in range(4)} == set(simulator.ledger)
    assert {(200, 10, 37, True, None)} == {
        (e.status, e.prompt_tokens, e.completion_tokens, e.completed, e.aborted_at)
        for e in simulator.ledger.values()
    }
    assert [True, True, False, True] == [e.usage_sent for e in simulator.ledger.values()]


async def test_the_ledger_counts_what_was_out_when_the_client_left(simulator):
    simulator.script = Script(completion_tokens=1000, token_interval_s=0.001)
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=True))
        await simulator.until(lambda: bool(simulator.ledger))
        await simulator.until(lambda: only_entry(simulator).completion_tokens >= 5)
        client.close()
        await simulator.until(lambda: only_entry(simulator).aborted_at is not None)
    sent = only_entry(simulator).completion_tokens
    await asyncio.sleep(0)

    assert 5 <= sent < 1000
    assert sent == only_entry(simulator).completion_tokens
    assert not only_entry(simulator).completed


async def test_an_id_sent_twice_counts_as_two_attempts(simulator):
    async with RawClient(simulator) as client:
        for _ in range(2):
            client.post(openai_body(), x_request_id="req_same")
            await client.answer()

    assert 2 == simulator.ledger["req_same"].attempt


async def test_a_question_that_fails_is_the_waiters_own_problem(simulator):
    waiting = asyncio.create_task(simulator.until(lambda: bool(simulator.ledger) and 1 / 0))
    async with RawClient(simulator) as client:
        await asyncio.sleep(0)
        client.post(openai_body())
        status = (await client.answer())[0]

    with pytest.raises(ZeroDivisionError):
        await waiting
    assert 200 == status


async def test_waiting_for_what_never_comes_times_out(simulator):
    with pytest.raises(TimeoutError):
        await simulator.until(lambda: False, timeout_s=0.01)
