"""The simulator on a real socket: both SDKs, odd bytes, its ledger, its controls."""

from __future__ import annotations

import asyncio

import anthropic
import openai
import orjson
import pytest

from korad.simulator import Fault, Script, Simulator
from tests.support.simulator import (
    HELLO,
    RawClient,
    anthropic_body,
    data_events,
    openai_body,
)

FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}
CALLS = [("f", '{"city": "東京", "n": 1}'), ("now", "")]
ROUGH = Script(odd_chunks=True, crlf=True, pings=True, chunk_tokens=2)


@pytest.fixture
async def simulator():
    async with Simulator(now_s=lambda: 1_700_000_000) as running:
        yield running


@pytest.fixture
async def openai_client(simulator):
    async with openai.AsyncOpenAI(
        base_url=simulator.openai_base_url, api_key="sk-simulated", max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def anthropic_client(simulator):
    async with anthropic.AsyncAnthropic(
        base_url=simulator.anthropic_base_url,
        api_key="sk-simulated",
        max_retries=0,
        default_headers={"anthropic-version": "2023-06-01", "x-api-key": "sk-simulated"},
    ) as client:
        yield client


def only_entry(simulator):
    (entry,) = simulator.ledger.values()
    return entry


# the OpenAI SDK


async def test_the_openai_sdk_gets_an_answer(simulator, openai_client):
    simulator.script = Script(text="Hello! How are you?")
    answer = await openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)

    assert "Hello! How are you?" == answer.choices[0].message.content
    assert (10, 6, 16) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.total_tokens,
    )
    assert ("stop", "korad-simulator") == (
        answer.choices[0].finish_reason,
        answer.system_fingerprint,
    )


@pytest.mark.parametrize("script", [Script(), ROUGH], ids=["plain", "rough"])
async def test_the_openai_sdk_gets_the_same_answer_streamed(simulator, openai_client, script):
    simulator.script = script
    whole = await openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)
    async with openai_client.chat.completions.stream(
        model="gpt-4o", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        streamed = await stream.get_final_completion()

    assert whole.choices[0].message.content == streamed.choices[0].message.content
    assert whole.usage == streamed.usage


@pytest.mark.parametrize(
    "script", [Script(tool_calls=CALLS), Script(tool_calls=CALLS, odd_chunks=True)]
)
async def test_the_openai_sdk_gets_tool_calls(simulator, openai_client, script):
    simulator.script = script
    tools = [{"type": "function", "function": FUNCTION}]
    whole = await openai_client.chat.completions.create(model="m", messages=HELLO, tools=tools)
    async with openai_client.chat.completions.stream(
        model="m", messages=HELLO, tools=tools
    ) as stream:
        streamed = await stream.get_final_completion()

    for answer in (whole, streamed):
        choice = answer.choices[0]
        calls = choice.message.tool_calls

        assert CALLS == [(call.function.name, call.function.arguments) for call in calls]
        assert ("tool_calls", 2) == (choice.finish_reason, len({call.id for call in calls}))


async def test_the_openai_sdk_gets_several_choices(openai_client):
    async with openai_client.chat.completions.stream(model="m", messages=HELLO, n=3) as stream:
        answer = await stream.get_final_completion()

    assert 3 == len({choice.message.content for choice in answer.choices})


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
async def test_the_openai_sdk_raises_errors_of_every_status(
    simulator, openai_client, status, error
):
    simulator.script = Script(fault=Fault.ERROR_STATUS, status=status)
    with pytest.raises(error) as caught:
        await openai_client.chat.completions.create(model="m", messages=HELLO)

    assert status == caught.value.status_code
    assert {"message", "type", "param", "code"} == set(caught.value.body)
    assert ("1" if status == 429 else None) == caught.value.response.headers.get("retry-after")
    assert (status, 0, 0, False) == (
        only_entry(simulator).status,
        only_entry(simulator).prompt_tokens,
        only_entry(simulator).completion_tokens,
        only_entry(simulator).completed,
    )


async def test_the_openai_sdk_lists_models(openai_client):
    models = [model.id async for model in openai_client.models.list()]

    assert "gpt-4o" in models


# the Anthropic SDK


async def test_the_anthropic_sdk_gets_an_answer(simulator, anthropic_client):
    simulator.script = Script(text="Hello!", cached_tokens=4, cache_write_tokens=3)
    answer = await anthropic_client.messages.create(**anthropic_body())

    assert "Hello!" == answer.content[0].text
    assert (3, 4, 3, 2) == (
        answer.usage.input_tokens,
        answer.usage.cache_read_input_tokens,
        answer.usage.cache_creation_input_tokens,
        answer.usage.output_tokens,
    )
    assert "end_turn" == answer.stop_reason


@pytest.mark.parametrize("script", [Script(), ROUGH], ids=["plain", "rough"])
@pytest.mark.parametrize("thinking", [{"type": "disabled"}, {"type": "adaptive"}])
async def test_the_anthropic_sdk_gets_the_same_answer_streamed(
    simulator, anthropic_client, script, thinking
):
    simulator.script = script
    body = anthropic_body(thinking=thinking)
    whole = await anthropic_client.messages.create(**body)
    async with anthropic_client.messages.stream(**body) as stream:
        streamed = await stream.get_final_message()

    def facts(message):
        texts = [getattr(block, block.type) for block in message.content]
        return texts, message.stop_reason, message.usage.output_tokens, message.usage.input_tokens

    assert facts(whole) == facts(streamed)
    assert ["thinking", "text"][thinking["type"] == "disabled" :] == [
        block.type for block in streamed.content
    ]


@pytest.mark.parametrize(
    "script", [Script(tool_calls=CALLS), Script(tool_calls=CALLS, odd_chunks=True)]
)
async def test_the_anthropic_sdk_gets_tool_calls(simulator, anthropic_client, script):
    simulator.script = script
    tools = [{"name": "f", "input_schema": FUNCTION["parameters"]}]
    whole = await anthropic_client.messages.create(**anthropic_body(tools=tools))
    async with anthropic_client.messages.stream(**anthropic_body(tools=tools)) as stream:
        streamed = await stream.get_final_message()

    for answer in (whole, streamed):
        assert [("f", {"city": "東京", "n": 1}), ("now", {})] == [
            (block.name, block.input) for block in answer.content
        ]
        assert "tool_use" == answer.stop_reason


@pytest.mark.parametrize(
    ("script", "limit", "reason"),
    [
        (Script(text="one two three"), 2, "max_tokens"),
        (Script(text="one two three"), 9, "end_turn"),
        (Script(text="one STOP three"), 9, "stop_sequence"),
        (Script(finish_reason="refusal"), 9, "refusal"),
        (Script(finish_reason="pause_turn"), 9, "pause_turn"),
    ],
)
async def test_the_anthropic_sdk_sees_why_an_answer_ended(
    simulator, anthropic_client, script, limit, reason
):
    simulator.script = script
    body = anthropic_body(max_tokens=limit, stop_sequences=["STOP"])
    async with anthropic_client.messages.stream(**body) as stream:
        answer = await stream.get_final_message()

    assert reason == answer.stop_reason
    assert ("STOP" if reason == "stop_sequence" else None) == answer.stop_sequence
    assert (reason == "refusal") == (answer.stop_details is not None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
    ],
)
async def test_the_anthropic_sdk_raises_errors_of_every_status(
    simulator, anthropic_client, status, error
):
    simulator.script = Script(fault=Fault.ERROR_STATUS, status=status)
    with pytest.raises(error) as caught:
        await anthropic_client.messages.create(**anthropic_body())

    assert status == caught.value.status_code
    assert "error" == caught.value.body["type"]
    assert caught.value.body["request_id"] == caught.value.response.headers["request-id"]


async def test_the_anthropic_sdk_raises_an_error_event(simulator, anthropic_client):
    simulator.script = Script(fault=Fault.ERROR_MID_STREAM, status=529)
    with pytest.raises(anthropic.APIStatusError) as caught:
        async with anthropic_client.messages.stream(**anthropic_body()) as stream:
            await stream.get_final_message()

    assert "overloaded_error" == caught.value.body["error"]["type"]


async def test_the_anthropic_sdk_lists_models(anthropic_client):
    models = [model.id async for model in anthropic_client.models.list()]

    assert "claude-sonnet-4-5-20250929" in models


# frames and headers


async def test_openai_usage_comes_only_when_asked_for(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=True))
        plain = data_events((await client.answer())[2])
        client.post(openai_body(stream=True, stream_options={"include_usage": True}))
        asked = data_events((await client.answer())[2])

    assert "[DONE]" == plain[-1]
    assert not any("usage" in event for event in plain[:-1])
    assert all(event["choices"] for event in plain[:-1])
    assert {None} == {event["usage"] and "report" for event in asked[:-2]}
    assert ([], 10) == (asked[-2]["choices"], asked[-2]["usage"]["prompt_tokens"])


async def test_the_openai_role_comes_first_and_the_reason_last(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=True))
        events = data_events((await client.answer())[2])

    assert {"role": "assistant", "content": "", "refusal": None} == events[0]["choices"][0]["delta"]
    assert [None] * (len(events) - 2) + ["stop"] == [
        event["choices"][0]["finish_reason"] for event in events[:-1]
    ]


async def test_anthropic_events_come_in_order(simulator):
    simulator.script = Script(text="one two")
    async with RawClient(simulator) as client:
        client.post(anthropic_body(stream=True))
        stream = (await client.answer())[2]

    assert [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ] == [event["type"] for event in data_events(stream)]
    assert stream.startswith(b"event: message_start\n")


@pytest.mark.parametrize("body", [openai_body(stream=True), anthropic_body(stream=True)])
async def test_odd_chunks_cut_inside_characters_and_line_ends(simulator, body):
    simulator.script = Script(text="🚀 東京 " * 40, odd_chunks=True, crlf=True)
    async with RawClient(simulator) as client:
        client.post(body)
        await client.head()
        chunks = await client.chunks()
    events = data_events(b"".join(chunks))

    assert any(chunk.endswith(b"\r") for chunk in chunks)
    assert any(0x80 <= chunk[0] < 0xC0 for chunk in chunks)
    assert events[-1] in ("[DONE]", {"type": "message_stop"})


@pytest.mark.parametrize(
    ("body", "ping"),
    [
        (openai_body(stream=True), b": ping\n\n"),
        (anthropic_body(stream=True), b"event: ping\n"),
    ],
)
async def test_pings_come_before_every_event(simulator, body, ping):
    simulator.script = Script(pings=True, completion_tokens=5)
    async with RawClient(simulator) as client:
        client.post(body)
        stream = (await client.answer())[2]

    assert stream.count(ping) > 5


async def test_answers_carry_the_headers_of_their_provider(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body())
        _, of_openai, _ = await client.answer()
        client.post(anthropic_body())
        _, of_anthropic, _ = await client.answer()
        simulator.script = Script(rate_limit_headers=False)
        client.post(openai_body())
        _, without, _ = await client.answer()

    assert "Tue, 14 Nov 2023 22:13:20 GMT" == of_openai["date"]
    assert {"x-request-id", "openai-processing-ms", "openai-version"} < set(of_openai)
    assert "x-ratelimit-remaining-tokens" in of_openai
    assert {"request-id", "anthropic-ratelimit-tokens-remaining"} < set(of_anthropic)
    assert "x-ratelimit-remaining-tokens" not in without


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/x/chat/completions?a=b"])
async def test_any_prefix_will_do(simulator, path):
    async with RawClient(simulator) as client:
        client.post(openai_body(), path=path)

        assert 200 == (await client.answer())[0]


@pytest.mark.parametrize(
    "body", [openai_body(tools=["f"]), anthropic_body(output_config={"format": "json"})]
)
async def test_a_wrong_type_deep_in_a_request_is_a_400(simulator, body):
    async with RawClient(simulator) as client:
        client.post(body)
        status, _, answer = await client.answer()

    assert 400 == status
    assert "wrong shape" in orjson.loads(answer)["error"]["message"]


@pytest.mark.parametrize("make_body", [openai_body, anthropic_body])
async def test_a_credential_is_needed_unless_the_script_says_otherwise(simulator, make_body):
    async with RawClient(simulator) as client:
        client.post(make_body(), authorization="", x_api_key="")
        refused = (await client.answer())[0]
        simulator.script = Script(auth=False)
        client.post(make_body(), authorization="", x_api_key="")
        taken = (await client.answer())[0]

    assert (401, 200) == (refused, taken)


async def test_other_paths_and_methods_are_refused(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(), path="/v1/embeddings")
        missing = await client.answer()
        client.send(b"GET /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n")
        wrong = await client.answer()

    assert (404, 405) == (missing[0], wrong[0])
    assert "invalid_request_error" == orjson.loads(missing[2])["error"]["type"]
    assert {} == simulator.ledger


# determinism, directives, control


async def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    answers = []
    for seed in (5, 5, 6):
        async with (
            Simulator(ROUGH, seed=seed, now_s=lambda: 0) as simulator,
            RawClient(simulator) as client,
        ):
            client.post(openai_body(stream=True))
            await client.head()
            answers.append(await client.chunks())

    assert answers[0] == answers[1]
    assert answers[0] != answers[2]


async def test_a_request_can_bring_its_own_script(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(), x_simulate="fault=error_status;status=529")
        by_header = (await client.answer())[0]
        text = "Do it [[simulate fault=error_status status=503]] now"
        client.post(openai_body(messages=[{"role": "user", "content": text}]))
        by_text = (await client.answer())[0]
        client.post(openai_body())
        after = (await client.answer())[0]
        client.post(openai_body(), x_simulate="speed=9")
        wrong = (await client.answer())[0]

    assert (529, 503, 200, 400) == (by_header, by_text, after, wrong)


async def test_the_demo_obeys_nobody_and_says_what_it_is():
    async with Simulator(demo=True) as simulator, RawClient(simulator) as client:
        text = "Hello [[simulate fault=error_status]]"
        client.post(
            openai_body(messages=[{"role": "user", "content": text}]), x_simulate="status=529"
        )
        status, _, body = await client.answer()

    answer = orjson.loads(body)

    assert 200 == status
    assert "Hello! This is a simulated demo answer." == answer["choices"][0]["message"]["content"]
    assert 9 == answer["usage"]["completion_tokens"]


async def test_the_control_paths_change_the_script_and_show_the_ledger(simulator):
    async with RawClient(simulator) as client:
        client.post(b'{"text":"scripted"}', path="/_simulator/script")
        changed = (await client.answer())[0]
        client.post(openai_body(), x_request_id="req_mine")
        answer = (await client.answer())[2]
        client.send(b"GET /_simulator/ledger HTTP/1.1\r\nhost: x\r\n\r\n")
        ledger = orjson.loads((await client.answer())[2])
        client.post(b'{"speed":1}', path="/_simulator/script")
        refused = (await client.answer())[0]
        client.post(b"", path="/_simulator/reset")
        reset = (await client.answer())[0]
        client.post(b"", path="/_simulator/other")
        unknown = (await client.answer())[0]

    assert (200, 400, 200, 404) == (changed, refused, reset, unknown)
    assert b"scripted" in answer
    assert (10, 1, True) == (
        ledger["req_mine"]["prompt_tokens"],
        ledger["req_mine"]["completion_tokens"],
        ledger["req_mine"]["completed"],
    )
    assert ({}, [], Script()) == (simulator.ledger, simulator.requests, simulator.script)


async def test_requests_are_captured_as_they_came(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(), path="/v1/chat/completions?a=1", X_Odd="Yes")
        await client.answer()

    captured = simulator.requests[-1]

    assert ("POST", "/v1/chat/completions?a=1") == (captured.method, captured.path)
    assert orjson.dumps(openai_body()) == captured.body
    assert ("X-Odd", "Yes") in captured.headers


# the connection


async def test_pipelined_requests_are_answered_in_order(simulator):
    simulator.script = Script(latency_s=0.001)
    async with RawClient(simulator) as client:
        for text in ("one", "two", "three"):
            client.post(openai_body(model=text))
        models = [orjson.loads((await client.answer())[2])["model"] for _ in range(3)]

    assert ["one", "two", "three"] == models


async def test_what_is_not_http_is_refused(simulator):
    async with RawClient(simulator) as client:
        client.send(b"NOT HTTP\r\n\r\n")

        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_waits_for_leave_gets_it(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(), expect="100-continue")

        assert (100, {}) == await client.head()
        assert 200 == (await client.answer())[0]


async def test_a_client_that_wants_the_connection_closed_is_obeyed(simulator):
    async with RawClient(simulator) as client:
        client.post(openai_body(), connection="close")

        assert (await client.rest()).endswith(b"}}}")


async def test_a_slow_reader_stops_the_stream_and_gets_all_of_it(simulator):
    tokens = 3000
    simulator.script = Script(text=" ".join(["long" * 1000] * tokens))
    async with RawClient(simulator) as client:
        client.post(openai_body(stream=True))
        await simulator.until(lambda: bool(simulator.ledger))
        await simulator.until(lambda: only_entry(simulator).completion_tokens > 100)
        for _ in range(200):
            await asyncio.sleep(0)
        held_back = only_entry(simulator).completion_tokens
        await client.head()
        events = len(await client.chunks())

    assert held_back < tokens
    assert tokens + 3 == events
    assert only_entry(simulator).completed


async def test_stopping_drops_connections_and_may_be_repeated():
    simulator = Simulator(Script(fault=Fault.STALL_BEFORE_HEAD))
    await simulator.start()
    async with RawClient(simulator) as client:
        client.post(openai_body())
        await simulator.until(lambda: bool(simulator.requests))
        await simulator.stop()
        await simulator.stop()

        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", simulator.port)
    assert 0 == simulator.connections
