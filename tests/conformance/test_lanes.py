"""Whatever is sent, both lanes answer the same bytes; ids and dates aside."""

from __future__ import annotations

import contextlib
import re

import pytest
import pytest_asyncio

from korad.simulator import Fault, Script
from tests.support.proxy import EXPIRED_KEY, LIMITED_KEY, REVOKED_KEY, running_proxy
from tests.support.raw_http import KEY, RawConnection, chat, request

LEFTOVER = request(method="GET", path="/livez", lines=("Connection: close",))
SECOND = request(chat(seed=2), lines=("X-Client-Request-Id: second",))
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n", lines: tuple[str, ...] = ()) -> bytes:
    head = request(lines=("Transfer-Encoding: chunked", *lines))
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


HALVES = (b'{"model":"openai/gpt-4o","messages":', b'[{"role":"user","content":"Hi"}]}')

GOOD = {
    "plain": request(chat()),
    "alias": request(chat(model="quick")),
    "anthropic": request(chat(model="anthropic/claude-sonnet-4-6")),
    "tools": request(chat(tools=TOOLS, tool_choice="auto")),
    "json answer": request(chat(response_format={"type": "json_object"})),
    "two choices": request(chat(n=2)),
    "unknown member": request(chat(never_heard_of=[1, {"a": None}])),
    "unicode": request(chat(messages=[{"role": "user", "content": "Grüße 👋 \u0000"}])),
    "repeated key": request(b'{"model":"quick",' + b"".join(HALVES)[1:]),
    "stream": request(chat(stream=True)),
    "stream with usage": request(chat(stream=True, stream_options={"include_usage": True})),
    "stream without usage": request(chat(stream=True, stream_options={"include_usage": False})),
    "anthropic stream": request(chat(model="anthropic/claude-sonnet-4-6", stream=True)),
    "stream null": request(chat(stream=None)),
    "content type": request(chat(), lines=("Content-Type: application/json; charset=utf-8",)),
    "x-bf-vk": request(chat(), key=None, lines=(f"x-bf-vk: {KEY}",)),
    "x-bf-vk decides": request(chat(), key="nonsense", lines=(f"x-bf-vk: {KEY}",)),
    "api-key": request(chat(), key=None, lines=(f"api-key: {KEY}",)),
    "lower-case names": request(chat(), key=None, lines=(f"authorization: bearer {KEY}",)),
    "blanks around values": request(chat(), lines=("X-Savings-Level:  \tHIGH\t ",)),
    "client request id": request(chat(), lines=("X-Client-Request-Id: my-own.id 7",)),
    "traceparent": request(chat(), lines=("traceparent: 00-abc-def-01", "tracestate: a=b")),
    "savings off": request(chat(), lines=("X-Savings-Level: off",)),
    "cache miss": request(chat(seed=3), lines=("X-Korad-Cache: on",)),
    "cache off": request(chat(seed=3, temperature=0), lines=("X-Korad-Cache: OFF",)),
    "keep-alive said": request(chat(), lines=("Connection: keep-alive",)),
    "close said": request(chat(), lines=("Connection: close",)),
    "stream and close": request(chat(stream=True), lines=("Connection: close",)),
    "http/1.0": request(chat(), version="1.0"),
    "http/1.0 stream": request(chat(stream=True), version="1.0"),
    "query": request(chat(), path="/v1/chat/completions?api-version=1"),
    "absolute target": request(chat(), path="http://korad/v1/chat/completions"),
    "chunked": chunked(*HALVES),
    "chunk extension": request(lines=("Transfer-Encoding: chunked",))
    + b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (sum(map(len, HALVES)), b"".join(HALVES)),
    "trailers": chunked(*HALVES, end=b"0\r\nX-Trailer: 1\r\n\r\n"),
    "identity": request(chat(), lines=("Content-Encoding: identity",)),
    "leading zero": request(chat()).replace(b"Content-Length: ", b"Content-Length: 0"),
    "repeated header": request(chat(), lines=("X-Savings-Level: low", "X-Savings-Level: off")),
    "pipelined pair": request(chat()) + SECOND,
    "pipelined stream": request(chat(stream=True)) + SECOND,
    "long header": request(chat(), lines=(f"X-Padding: {'x' * 8_000}",)),
    "many headers": request(chat(), lines=tuple(f"X-Odd-{n}: {n}" for n in range(80))),
    "high bytes in a header": request(chat(), lines=("X-Name: Gr\u00fc\u00dfe",)),
}
BAD = {
    "no key": request(chat(), key=None),
    "unknown key": request(chat(), key="sk-bf-nobody"),
    "basic instead of bearer": request(chat(), key=None, lines=("Authorization: Basic eDp5",)),
    "revoked key": request(chat(), key=REVOKED_KEY),
    "expired key": request(chat(), key=EXPIRED_KEY),
    "provider not allowed": request(chat(model="anthropic/claude-sonnet-4-6"), key=LIMITED_KEY),
    "model not allowed": request(chat(), key=LIMITED_KEY),
    "empty body": request(b""),
    "no length": request(length=None),
    "not json": request(b"{'model': 1}"),
    "not an object": request(b"[1]"),
    "too deep": request(b"[" * 20_000),
    "not utf-8": request(b'{"model":"\xff"}'),
    "no model": request({"messages": []}),
    "model is a number": request(chat(model=7)),
    "unknown provider": request(chat(model="nowhere/gpt")),
    "unknown alias": request(chat(model="nobody")),
    "no messages": request({"model": "openai/gpt-4o"}),
    "messages is text": request(chat(messages="hi")),
    "stream is text": request(chat(stream="yes")),
    "provider refuses": request(chat(temperature=9)),
    "provider refuses a stream": request(chat(temperature=9, stream=True)),
    "unsupported parameter": request(chat(model="anthropic/claude-sonnet-4-6", n=2)),
    "wrong media type": request(chat(), lines=("Content-Type: text/plain",)),
    "unknown level": request(chat(), lines=("X-Savings-Level: max",)),
    "unknown cache switch": request(chat(), lines=("X-Korad-Cache: yes",)),
    "long client id": request(chat(), lines=(f"X-Client-Request-Id: {'x' * 513}",)),
    "compressed": request(chat(), lines=("Content-Encoding: gzip",)),
    "too large": request(b" " * 70_000),
    "get": request(method="GET"),
    "head": request(method="HEAD"),
    "options": request(method="OPTIONS"),
    "put": request(chat(), method="PUT"),
    "other path": request(chat(), path="/v1/completions"),
    "slash at the end": request(chat(), path="/v1/chat/completions/"),
    "lower-case method": request(chat(), method="post"),
    "two lengths": request(chat(), lines=("Content-Length: 3",)),
    "signed length": request(chat(), length=None, lines=("Content-Length: +9",)),
    "length and chunked": request(chat(), lines=("Transfer-Encoding: chunked",)),
    "odd coding": request(chat(), length=None, lines=("Transfer-Encoding: gzip",)),
    "chunked twice": chunked(*HALVES, lines=("Transfer-Encoding: chunked",)),
    "bad chunk size": request(lines=("Transfer-Encoding: chunked",)) + b"0x5\r\nhello\r\n0\r\n\r\n",
    "blank before colon": request(chat(), lines=("X-Odd : 1",)),
    "folded line": request(chat(), lines=("X-Odd: 1", " 2")),
    "no colon": request(chat(), lines=("nonsense",)),
    "bare LF": request(chat(), lines=("X-Odd: 1\nX-Even: 2",)),
    "NUL in a header": request(chat(), lines=("X-Odd: a\0b",)),
    "huge head": request(chat(), lines=(f"X-Padding: {'x' * 40_000}",)),
    "other version": request(chat(), version="3.7"),
    "not http": b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n",
    "wrong expectation": request(chat(), lines=("Expect: the-moon",)),
}
ENDLESS = {
    (Fault.STALL_BEFORE_HEAD, False),
    (Fault.STALL_BEFORE_HEAD, True),
    (Fault.STALL_MID_STREAM, False),
    (Fault.STALL_MID_STREAM, True),
    (Fault.ERROR_MID_STREAM, False),
}
"""Only a timeout ends these."""
FAULTS = {
    f"{fault.value}{' stream' if stream else ''}": (fault, request(chat(stream=stream)))
    for fault in Fault
    for stream in (False, True)
    if (fault, stream) not in ENDLESS
}
_ODD = re.compile(rb"req_[0-9a-f]{32}|(?<=\r\nDate: )[^\r]*")


@contextlib.asynccontextmanager
async def both_lanes(folder):
    limits = "access_log = false\nbody_bytes_max = 65536\n"
    (folder / "fast").mkdir()
    (folder / "slow").mkdir()
    async with (
        running_proxy(folder / "fast", server=limits) as fast,
        running_proxy(folder / "slow", server=f"{limits}fast_lane = false") as slow,
    ):
        yield fast, slow


@pytest.fixture
async def lanes(tmp_path):
    async with both_lanes(tmp_path) as both:
        yield both


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_lanes(tmp_path_factory):
    """Give lanes to those who leave nothing behind: a start costs more than most requests here."""
    async with both_lanes(tmp_path_factory.mktemp("lanes")) as both:
        yield both


async def answers(proxy, data):
    """Return everything that comes back, and what becomes of the connection after it."""
    async with RawConnection(proxy.port) as connection:
        first = await connection.ask(data)
        seen = [*first]
        if data.endswith(SECOND):
            seen += await connection.answer()
        connection.send(LEFTOVER)
        seen.append(await connection.rest())
    return [_ODD.sub(b"*", each) if isinstance(each, bytes) else each for each in seen]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
async def test_both_lanes_serve_it_alike(shared_lanes, data):
    fast, slow = [await answers(each, data) for each in shared_lanes]

    assert slow == fast
    assert 200 == fast[0]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-6"])
async def test_both_lanes_tell_a_stored_answer_alike(lanes, model, stream):
    data = request(chat(model=model, stream=stream), lines=("X-Korad-Cache: on",))
    for each in lanes:
        await answers(each, data)
    fast, slow = [await answers(each, data) for each in lanes]

    assert slow == fast
    assert b"\r\nX-Korad-Strategy: Exact cache hit\r\n" in fast[1]
    assert [1, 1] == [len(each.simulator.requests) for each in lanes]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
async def test_both_lanes_refuse_it_alike(shared_lanes, data):
    fast, slow = [await answers(each, data) for each in shared_lanes]

    assert slow == fast
    assert 400 <= fast[0] < 500


@pytest.mark.parametrize(("fault", "data"), FAULTS.values(), ids=FAULTS)
async def test_both_lanes_tell_of_a_fault_alike(lanes, fault, data):
    for each in lanes:
        each.simulator.script = Script(fault=fault, completion_tokens=12)
    fast, slow = [await answers(each, data) for each in lanes]

    assert slow == fast
