"""The optimizer between a client's socket and the provider's."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import orjson
import pytest

from korad.adapters.key_store import open_key_store
from korad.domain.exchange import Outcome
from korad.optimizer import PASSTHROUGH, Chain
from korad.optimizer.base import LOW, Transform
from korad.simulator import count_words
from tests.support.proxy import NOW_S, running_proxy
from tests.support.raw_http import KEY, RawConnection, ask, chat, request
from tests.support.turns import Turns
from tests.support.upstream import read_request, upstream

WAIT_S = 10.0
TURNS = 3
FAST = "access_log = false"
LANES = pytest.mark.parametrize("server", [FAST, f"{FAST}\nfast_lane = false"])
ROWS = [{"id": n, "name": f"row {n}", "tags": ["a", "b"], "price": n / 8} for n in range(300)]
PRETTY = orjson.dumps(ROWS, option=orjson.OPT_INDENT_2).decode()
PROSE = "some words of prose " * 1_000
CALL = {"id": "c1", "type": "function", "function": {"name": "list", "arguments": "{}"}}
AGENT = [
    {"role": "system", "content": "You are a careful clerk."},
    {"role": "user", "content": "Which row is the dearest?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": PRETTY},
]


def encode_chars(text):
    """Stand in for the tokenizer: a token for four characters."""
    return [0] * (len(text) // 4)


def count(messages):
    """Return the tokens of messages by the rule for chat prompts."""
    total = 3
    for message in messages:
        total += 4 + len(encode_chars(message["content"] or ""))
        for call in message.get("tool_calls", ()):
            function = call["function"]
            total += 3 + sum(len(encode_chars(function[name])) for name in ("name", "arguments"))
    return total


def running(tmp_path, **options):
    return running_proxy(tmp_path, encode=encode_chars, **options)


def level(name):
    return (f"X-Savings-Level: {name}",)


def figures(answer):
    headers = answer.headers
    return (
        int(headers["x-korad-original-tokens"]),
        int(headers["x-korad-optimized-tokens"]),
        headers["x-korad-savings-usd"],
        headers["x-korad-strategy"],
    )


def arrived(proxy):
    """Return the body of the only request that the provider has got."""
    (captured,) = proxy.simulator.requests
    return orjson.loads(captured.body)


def usd(tokens):
    return f"${tokens * 2 / 1_000_000:.6f}"


async def about(proxy, answer, key=KEY):
    """Return what korad recorded of the request."""
    path = f"/v1/korad/requests/{answer.headers['x-request-id']}"
    return (await ask(proxy.port, request(method="GET", path=path, key=key))).json


# the figures


@LANES
async def test_a_whole_answer_tells_what_was_saved(tmp_path, server):
    async with running(tmp_path, server=server) as proxy:
        answer = await ask(proxy.port, request(chat(messages=AGENT), lines=level("medium")))
        final = arrived(proxy)["messages"]
        record = await about(proxy, answer)

    original, optimized, savings, strategy = figures(answer)
    assert 200 == answer.status
    assert answer.json["usage"]["prompt_tokens"] == optimized
    # This provider counts almost three tokens for one of korad's: no more than two are believed.
    assert original == optimized + 2 * (count(AGENT) - count(final))
    assert original > 1.2 * optimized
    assert usd(original - optimized) == savings
    assert strategy.endswith(" (medium)")
    assert AGENT[:3] == final[:3]
    assert AGENT[3] | {"content": 0} == final[3] | {"content": 0}
    assert len(final[3]["content"]) < len(PRETTY) / 1.2
    assert (original - optimized) * 2_000 == record["savings_nano_usd"]
    assert 0 < record["realized_savings_nano_usd"] <= record["savings_nano_usd"]
    assert [original, optimized, strategy, "medium"] == [
        record[name] for name in ("original_tokens", "optimized_tokens", "strategy", "level")
    ]


@LANES
async def test_a_streams_head_tells_korads_own_counts(tmp_path, server):
    async with running(tmp_path, server=server) as proxy:
        answer = await ask(
            proxy.port, request(chat(messages=AGENT, stream=True), lines=level("medium"))
        )
        final = arrived(proxy)["messages"]
        record = await about(proxy, answer)

    original, optimized, savings, strategy = figures(answer)
    assert (count(AGENT), count(final)) == (original, optimized)
    assert usd(original - optimized) == savings
    assert b" savings=$0.0" in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert strategy == record["strategy"]
    assert record["usage"]["prompt_tokens"] == record["optimized_tokens"]
    assert 0 < record["realized_savings_nano_usd"]


async def test_a_stream_that_ends_before_its_prompt_is_counted_is_recorded_as_reported(
    tmp_path,
):
    counting = threading.Event()

    def encode(text):
        assert len(text) < 2_048 or counting.wait(WAIT_S)
        return encode_chars(text)

    async with running_proxy(tmp_path, encode=encode) as proxy:
        data = request(chat(messages=AGENT, stream=True))
        asking = asyncio.create_task(ask(proxy.port, data))
        await proxy.simulator.until(lambda: proxy.simulator.ledger and proxy.entry.completed)
        await ask(proxy.port, request(method="GET", path="/livez", key=None))
        counting.set()
        answer = await asking
        final = arrived(proxy)["messages"]
        record = await about(proxy, answer)

    assert (count(AGENT), count(final)) == figures(answer)[:2]
    assert record["usage"]["prompt_tokens"] == record["optimized_tokens"] != count(final)


@LANES
@pytest.mark.parametrize("stream", [False, True])
async def test_at_off_the_messages_arrive_byte_for_byte(tmp_path, server, stream):
    spelling = b'[ {"role":"user", "content":"%b", "x":1.10} ]' % orjson.dumps(PRETTY)[1:-1]
    body = b'{"model":"openai/gpt-4o","stream":%b,"messages":%b}' % (
        orjson.dumps(stream), spelling,
    )  # fmt: skip
    async with running(tmp_path, server=server) as proxy:
        answer = await ask(proxy.port, request(body, lines=level("OFF")))
        (captured,) = proxy.simulator.requests
        record = await about(proxy, answer)

    original, optimized, savings, strategy = figures(answer)
    assert spelling in captured.body
    assert original == optimized
    assert ("$0.000000", PASSTHROUGH) == (savings, strategy)
    assert 0 == record["realized_savings_nano_usd"]
    if not stream:
        assert count_words(PRETTY) == optimized


@pytest.mark.parametrize("name", ["low", "medium", "high", "extreme"])
async def test_a_prompt_with_nothing_to_gain_is_passed_through(tmp_path, name):
    async with running(tmp_path) as proxy:
        answer = await ask(proxy.port, request(chat(), lines=level(name)))

    assert PASSTHROUGH == answer.headers["x-korad-strategy"]
    assert answer.headers["x-korad-original-tokens"] == answer.headers["x-korad-optimized-tokens"]


async def test_the_second_time_the_same_is_sent_and_told(tmp_path):
    async with running(tmp_path) as proxy:
        answers = [await ask(proxy.port, request(chat(messages=AGENT))) for _ in range(2)]
        first, second = proxy.simulator.requests

    assert first.body == second.body
    assert figures(answers[0]) == figures(answers[1])


# the level


async def test_the_header_decides_then_the_key_then_the_configuration(tmp_path):
    key = "sk-bf-integration-high"
    async with running(tmp_path, tail='[optimizer]\ndefault_level = "low"') as proxy:
        with open_key_store(proxy.settings.state_dir) as store:
            store.create("high", now_s=NOW_S, secret=key, level="high")
        await proxy.app._watch.refresh()
        by_key = await ask(proxy.port, request(chat(messages=AGENT), key=key))
        by_default = await ask(proxy.port, request(chat(messages=AGENT)))
        asked = request(chat(messages=AGENT), key=key, lines=level("Medium"))
        by_header = await ask(proxy.port, asked)
        records = [
            await about(proxy, by_key, key),
            await about(proxy, by_default),
            await about(proxy, by_header, key),
        ]

    assert ["high", "low", "medium"] == [record["level"] for record in records]
    assert by_default.headers["x-korad-strategy"] == "JSON minify (low)"


# the provider's cache


def loop_of(turns):
    """Return an agent's loop of that many assistant turns, long enough for any cache."""
    messages = [{"role": "system", "content": PROSE}, {"role": "user", "content": "Go on."}]
    for turn in range(turns):
        call = {"id": f"c{turn}", "type": "function", "function": CALL["function"]}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": f"{turn} {PROSE}"},
        ]
    return messages


@LANES
async def test_claude_gets_marks_from_the_second_turn_of_a_loop_on(tmp_path, server):
    async with running(tmp_path, server=server) as proxy, RawConnection(proxy.port) as connection:
        answers = [
            await connection.ask(
                request(chat(model="anthropic/claude-sonnet-4-6", messages=loop_of(turns)))
            )
            for turns in range(8)
        ]
        marks = [each.body.count(b'"cache_control"') for each in proxy.simulator.requests]

    assert [200] * 8 == [answer.status for answer in answers]
    assert 0 == marks[0]
    assert all(1 <= count <= 4 for count in marks[2:])
    assert max(marks) <= 4
    assert "Prompt cache (medium)" in answers[2].headers["x-korad-strategy"]


async def test_a_caller_who_marks_is_left_alone(tmp_path):
    messages = loop_of(4)
    part = {"type": "text", "text": PROSE, "cache_control": {"type": "ephemeral"}}
    messages[0] = {"role": "system", "content": [part]}
    body = chat(model="anthropic/claude-sonnet-4-6", messages=messages)
    async with running(tmp_path) as proxy:
        answer = await ask(proxy.port, request(body))
        (captured,) = proxy.simulator.requests

    assert "cache" not in answer.headers["x-korad-strategy"]
    assert 1 == captured.body.count(b'"cache_control"')


# what takes long, and what goes wrong meanwhile


class Gate:
    """A transform that waits in its thread until it is let through."""

    def __init__(self, proxy):
        self._entered = threading.Event()
        self._open = threading.Event()
        self._app = proxy.app
        gate = Transform(name="Gate", level=LOW, apply=self._apply)
        proxy.app._rooms.chain = Chain(len, [gate])

    def _apply(self, block):
        self._entered.set()
        assert self._open.wait(WAIT_S)
        return block.text[: len(block.text) // 2]

    async def entered(self):
        assert await asyncio.to_thread(self._entered.wait, WAIT_S)

    def release(self):
        self._open.set()

    async def open(self):
        """Let it through, and wait until the thread has nothing left to do."""
        self.release()
        await asyncio.to_thread(self._app._transformers.submit(int).result)


LONG = request(chat(messages=[{"role": "user", "content": PROSE}]))


class Kept:
    """Stands for the record sink: keeps what it is given."""

    def __init__(self, shell):
        self.records = []
        shell.records = self

    def note(self, record):
        self.records.append(record)


@LANES
async def test_others_are_served_while_a_prompt_is_transformed(tmp_path, server):
    async with running(tmp_path, server=server) as proxy, RawConnection(proxy.port) as connection:
        gate = Gate(proxy)
        connection.send(LONG)
        await gate.entered()
        others = [await ask(proxy.port, request(chat(stream=stream))) for stream in (False, True)]
        await gate.open()
        answer = await connection.answer()

    assert [200, 200, 200] == [answer.status, *(other.status for other in others)]
    assert "Gate (medium)" == answer.headers["x-korad-strategy"]


@LANES
async def test_off_does_not_wait_for_the_transforms_of_others(tmp_path, server):
    large = request(chat(messages=[{"role": "user", "content": PROSE * 20}]), lines=level("off"))
    async with running(tmp_path, server=server) as proxy, RawConnection(proxy.port) as connection:
        gate = Gate(proxy)
        connection.send(LONG)
        await gate.entered()
        other = await ask(proxy.port, large)
        await gate.open()
        await connection.answer()

    assert 200 == other.status
    assert PASSTHROUGH == other.headers["x-korad-strategy"]


@LANES
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_meanwhile_costs_nothing(tmp_path, server, stream):
    body = chat(messages=[{"role": "user", "content": PROSE}], stream=stream)
    async with running(tmp_path, server=server) as proxy:
        gate, shell = Gate(proxy), proxy.app._shell
        kept = Kept(shell)
        async with RawConnection(proxy.port) as connection:
            connection.send(request(body))
            await gate.entered()
            shell.idle.clear()
        async with asyncio.timeout(WAIT_S):
            await shell.idle.wait()
        await gate.open()
        after = await ask(proxy.port, request(chat()))

        assert 200 == after.status
        assert 1 == len(proxy.simulator.requests)
        assert 0 == shell.inflight
        assert [(Outcome.CLIENT_ABORTED, None, None), (Outcome.COMPLETED, 200, 200)] == [
            (r.outcome, r.charge and 200, r.usage and 200) for r in kept.records
        ]


async def test_a_drain_waits_for_a_prompt_under_way(tmp_path):
    draining = []

    def let_through():
        draining.append(proxy.app._shell.draining)
        gate.release()

    async with contextlib.AsyncExitStack() as stack:
        async with running(tmp_path) as proxy:
            connection = await stack.enter_async_context(RawConnection(proxy.port))
            gate = Gate(proxy)
            connection.send(LONG)
            await gate.entered()
            asyncio.get_running_loop().call_soon(let_through)
        answer = await connection.answer()

        assert [True] == draining
        assert 200 == answer.status
        assert await connection.rest() == b""


def broken(_block):
    raise LookupError("what the prompt says: secret")


@LANES
async def test_a_transform_that_raises_is_counted_and_the_prompt_goes_on(tmp_path, server, caplog):
    async with running(tmp_path, server=server) as proxy:
        chain = Chain(len, [Transform(name="Broken", level=LOW, apply=broken)])
        proxy.app._rooms.chain = chain
        answer = await ask(proxy.port, request(chat(messages=AGENT)))
        metrics = await ask(proxy.port, request(method="GET", path="/metrics"))
        final = arrived(proxy)["messages"]

    assert 200 == answer.status
    assert PASSTHROUGH == answer.headers["x-korad-strategy"]
    assert AGENT == final
    assert b'korad_transform_failures_total{transform="Broken"} 1\n' in metrics.body
    assert "secret" not in caplog.text


ANSWER = (
    b'{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}'
)


def many_results():
    """Return 2 MB of tool results, all of them different."""
    messages = []
    for number in range(100):
        call = {"id": f"c{number}", "type": "function", "function": CALL["function"]}
        content = PRETTY.replace('"row ', f'"row {number}-')
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": content},
        ]
    return messages


async def test_megabytes_are_transformed_beside_the_loop(tmp_path, monkeypatch):
    turns = Turns()

    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
        await reader.read()

    monkeypatch.setattr(Chain, "finish", turns.during(Chain.finish))
    monkeypatch.setattr(Chain, "advance", turns.during(Chain.advance))
    data = request(chat(messages=[*AGENT[:2], *many_results()]), lines=level("high"))
    async with (
        upstream(serve) as url,
        running(tmp_path, openai_base_url=url) as proxy,
        RawConnection(proxy.port) as connection,
    ):
        answer = asyncio.create_task(connection.ask(data))
        await turns.count_until(answer)

    assert len(data) > 2_000_000
    assert 200 == answer.result().status
    # Had the loop waited, it had not turned once meanwhile.
    assert turns.meanwhile >= TURNS
