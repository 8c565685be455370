"""HTTP/1.1 as clients really send it: in pieces, in batches, wrongly, slowly."""

from __future__ import annotations

import asyncio
import re

import pytest

from korad.simulator import Script
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.upstream import WHOLE, Gate, upstream

PLAIN = request(chat())
LIVEZ = request(method="GET", path="/livez")


@pytest.fixture
async def proxy(tmp_path):
    async with running_proxy(tmp_path) as running:
        yield running


async def closes(connection):
    """Return what comes before the server closes."""
    return await connection.rest()


# ── messages in pieces and batches ───────────────────────────────────────────────────────────


async def test_a_request_may_come_byte_by_byte(proxy):
    async with RawConnection(proxy.port) as connection:
        for position in range(len(PLAIN)):
            connection.send(PLAIN[position : position + 1])
            await asyncio.sleep(0)
        answer = await connection.answer()

    assert 200 == answer.status


@pytest.mark.parametrize("cut", [5, 60, PLAIN.index(b"\r\n\r\n") + 2, PLAIN.index(b"{"), -1])
async def test_a_request_may_be_cut_anywhere(proxy, cut):
    async with RawConnection(proxy.port) as connection:
        assert 200 == (await connection.ask(PLAIN)).status

        connection.send(PLAIN[:cut])
        await connection.writer.drain()
        # Another connection's whole exchange lies between the two pieces.
        assert 200 == (await ask(proxy.port, PLAIN)).status

        assert 200 == (await connection.ask(PLAIN[cut:])).status


async def test_one_connection_serves_many_requests_of_either_lane(proxy):
    async with RawConnection(proxy.port) as connection:
        statuses = [
            (await connection.ask(each)).status
            for each in (PLAIN, PLAIN, LIVEZ, PLAIN, LIVEZ, request(b"no JSON"), PLAIN)
        ]

    assert [200, 200, 200, 200, 200, 400, 200] == statuses
    assert 1 == proxy.simulator.connections


@pytest.mark.parametrize("batch", [1, 7, 200])
async def test_pipelined_requests_are_answered_in_order(proxy, batch):
    ids = [f"number-{n}" for n in range(200)]
    requests = [request(chat(), lines=(f"X-Client-Request-Id: {each}",)) for each in ids]
    async with RawConnection(proxy.port) as connection:
        for first in range(0, len(requests), batch):
            connection.send(b"".join(requests[first : first + batch]))
            await asyncio.sleep(0)
        answers = [await connection.answer() for _ in ids]

    assert ids == [answer.headers["x-client-request-id"] for answer in answers]
    assert [200] * 200 == [answer.status for answer in answers]


async def test_a_thousand_pipelined_refusals_do_not_overflow_the_stack(proxy):
    async with RawConnection(proxy.port) as connection:
        connection.send(request(b"?", key=None) * 1_000)
        statuses = [(await connection.answer()).status for _ in range(1_000)]

    assert [401] * 1_000 == statuses


async def flood(connection, data, times):
    for _ in range(times):
        connection.send(data)
        await connection.writer.drain()


@pytest.mark.parametrize("fast_lane", ["true", "false"])
async def test_pipelining_without_reading_stops_the_server_from_reading_on(tmp_path, fast_lane):
    # Each error answer is larger than its request: unread ones must not pile up in memory.
    refused = request(b"?", key=None)
    server = f"access_log = false\nfast_lane = {fast_lane}"
    async with (
        running_proxy(tmp_path, server=server) as proxy,
        RawConnection(proxy.port, read_buffer_bytes=1) as connection,
    ):
        connection.writer.transport.set_write_buffer_limits(high=0)

        # The kernel's buffers hold a tenth of these.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(connection, refused * 500, 800), 3)


async def test_a_chunked_body_is_read_whatever_its_pieces(proxy):
    body = PLAIN[PLAIN.index(b"{") :]
    async with RawConnection(proxy.port) as connection:
        connection.send(request(lines=("Transfer-Encoding: chunked",)))
        for position in range(0, len(body), 7):
            piece = body[position : position + 7]
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        answer = await connection.ask(b"0\r\n\r\n")

    assert 200 == answer.status
    assert proxy.simulator.requests[0].body == body.replace(b"openai/", b"")


# ── Expect ───────────────────────────────────────────────────────────────────────────────────


async def test_a_client_that_waits_is_told_to_go_on(proxy):
    head, _, body = request(chat(), lines=("Expect: 100-continue",)).partition(b"\r\n\r\n")
    async with RawConnection(proxy.port) as connection:
        connection.send(head + b"\r\n\r\n")

        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await connection.head()
        assert 200 == (await connection.ask(body)).status


@pytest.mark.parametrize(
    ("expected", "sent"),
    [
        (401, request(chat(), key="sk-bf-nobody", lines=("Expect: 100-continue",))),
        (413, request(length=2_000_000_000, lines=("Expect: 100-continue",))),
        (417, request(chat(), lines=("Expect: the-moon",))),
    ],
)
async def test_a_client_that_waits_is_refused_before_it_sends_the_body(proxy, expected, sent):
    async with RawConnection(proxy.port) as connection:
        answer = await connection.ask(sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

    assert expected == answer.status
    assert "close" == answer.headers["connection"]


# ── other methods, other paths ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
async def test_another_method_is_told_the_right_one(proxy, method):
    answer = await ask(proxy.port, request(method=method))

    assert (405, "POST") == (answer.status, answer.headers["allow"])


async def test_an_unknown_path_is_an_error_in_openai_s_shape(proxy):
    answer = await ask(proxy.port, request(chat(), path="/v1/embeddings"))

    assert (404, "invalid_request_error", "not_found") == answer.error
    assert "korad serves chat completions only" in answer.json["error"]["message"]


async def test_a_head_request_gets_no_body(proxy):
    async with RawConnection(proxy.port) as connection:
        connection.send(request(method="HEAD", path="/livez") + LIVEZ)
        await connection.head()
        following = await connection.head()

    assert following.startswith(b"HTTP/1.1 200 OK\r\n")


# ── limits ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fast_lane", ["true", "false"])
@pytest.mark.parametrize(("size", "status"), [(65_536, 200), (65_537, 413)])
async def test_the_limit_of_a_body_is_exact(tmp_path, fast_lane, size, status):
    server = f"access_log = false\nbody_bytes_max = 65536\nfast_lane = {fast_lane}"
    raw = PLAIN[PLAIN.index(b"{") :]
    body = raw + b" " * (size - len(raw))
    framed = request(lines=("Transfer-Encoding: chunked",)) + b"%x\r\n%b\r\n0\r\n\r\n" % (
        size,
        body,
    )
    async with running_proxy(tmp_path, server=server) as proxy:
        answers = [await ask(proxy.port, each) for each in (request(body), framed)]

    assert [status, status] == [answer.status for answer in answers]


async def test_a_large_body_reaches_the_provider_whole(proxy):
    text = "lorem ipsum " * 200_000
    answer = await ask(proxy.port, request(chat(messages=[{"role": "user", "content": text}])))

    assert 200 == answer.status
    assert text.encode() in proxy.simulator.requests[0].body


async def test_a_head_beyond_the_limit_is_refused(proxy):
    padding = tuple(f"X-{n}: {'x' * 4_000}" for n in range(40))
    answer = await ask(proxy.port, request(chat(), lines=padding))

    assert (431, "invalid_request_error", "request_header_fields_too_large") == answer.error
    assert [] == proxy.simulator.requests


async def test_a_head_without_end_is_not_kept(tmp_path):
    async with running_proxy(tmp_path) as proxy, RawConnection(proxy.port) as connection:
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nX: " + b"x" * 2_000_000)
        received = await closes(connection)

    assert b" 400 " == received[8:13]


# ── request smuggling ────────────────────────────────────────────────────────────────────────

HIDDEN = b"GET /livez HTTP/1.1\r\nHost: korad\r\n\r\n"
CHUNKED_HIDDEN = b"0\r\n\r\n" + HIDDEN


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 6", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 6"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5, 6",),
        ("Content-Length: 0x5",),
        ("Content-Length: -1",),
        ("Content-Length : 5",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding:\x0bchunked",),
        ("X-Odd: 1\n\nGET /livez HTTP/1.1",),
    ],
    ids=repr,
)
async def test_ambiguous_framing_is_refused_and_ends_the_connection(proxy, lines):
    async with RawConnection(proxy.port) as connection:
        assert 200 == (await connection.ask(PLAIN)).status

        connection.send(request(lines=lines) + CHUNKED_HIDDEN)
        received = await closes(connection)

    assert b" 400 " == received[8:13]
    assert [b"korad"] == re.findall(rb"\r\nServer: ([^\r]*)", received)


async def test_no_header_of_the_client_s_choosing_goes_upstream(proxy):
    lines = (
        "Connection: keep-alive, X-Secret",
        "X-Secret: 1",
        "Cookie: a=b",
        "Forwarded: for=1.2.3.4",
        "traceparent: 00-1-2-03",
    )
    answer = await ask(proxy.port, request(chat(), lines=lines))
    (seen,) = proxy.simulator.requests

    assert 200 == answer.status
    assert {
        "host",
        "authorization",
        "content-type",
        "accept",
        "accept-encoding",
        "user-agent",
        "x-request-id",
        "traceparent",
        "content-length",
    } == {name.lower() for name, _ in seen.headers}


# ── slow and silent clients ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fast_lane", ["true", "false"])
@pytest.mark.parametrize("before", [b"", PLAIN], ids=["first", "second"])
@pytest.mark.parametrize("head", [b"POST", PLAIN[:90]], ids=["start", "half"])
async def test_a_head_that_does_not_end_is_given_up(tmp_path, fast_lane, before, head):
    server = f"access_log = false\nhead_timeout_s = 0.2\nfast_lane = {fast_lane}"
    async with (
        running_proxy(tmp_path, server=server) as proxy,
        RawConnection(proxy.port) as connection,
    ):
        if before:
            assert 200 == (await connection.ask(before)).status
        connection.send(head)

        assert b"" == await closes(connection)


@pytest.mark.parametrize("fast_lane", ["true", "false"])
async def test_a_body_that_stops_coming_is_given_up(tmp_path, fast_lane):
    server = f"access_log = false\nbody_idle_timeout_s = 0.2\nfast_lane = {fast_lane}"
    async with (
        running_proxy(tmp_path, server=server) as proxy,
        RawConnection(proxy.port) as connection,
    ):
        answer = await connection.ask(PLAIN[:-5])

    assert (408, "invalid_request_error", "request_timeout") == answer.error


@pytest.mark.parametrize("first", [PLAIN, LIVEZ], ids=["fast", "slow"])
async def test_an_idle_connection_is_closed_after_its_time(tmp_path, first):
    server = "access_log = false\nkeepalive_timeout_s = 0.2"
    async with (
        running_proxy(tmp_path, server=server) as proxy,
        RawConnection(proxy.port) as connection,
    ):
        assert 200 == (await connection.ask(first)).status
        assert b"" == await closes(connection)


async def test_a_slow_answer_outlasts_the_keep_alive_time(tmp_path):
    server = "access_log = false\nkeepalive_timeout_s = 0.1\nhead_timeout_s = 0.1"
    async with running_proxy(tmp_path, server=server) as proxy:
        proxy.simulator.script = Script(latency_s=1.0)

        assert 200 == (await ask(proxy.port, PLAIN)).status


async def test_connections_beyond_the_limit_are_closed(tmp_path):
    server = "access_log = false\nconnections_max = 2"
    async with (
        running_proxy(tmp_path, server=server) as proxy,
        RawConnection(proxy.port) as one,
        RawConnection(proxy.port) as two,
    ):
        assert [200, 200] == [(await each.ask(PLAIN)).status for each in (one, two)]

        async with RawConnection(proxy.port) as three:
            assert b"" == await closes(three)


async def test_exchanges_beyond_the_limit_are_told_to_come_back(tmp_path):
    server = "access_log = false\ninflight_max = 1"
    gate = Gate(WHOLE)
    async with (
        upstream(gate.serve) as url,
        running_proxy(tmp_path, server=server, openai_base_url=url) as proxy,
        RawConnection(proxy.port) as one,
    ):
        one.send(PLAIN)
        await gate.asked()
        refused = await ask(proxy.port, PLAIN)
        gate.open()
        served = await one.answer()

    assert (503, "server_error", "overloaded") == refused.error
    assert "1" == refused.headers["retry-after"]
    assert 200 == served.status


async def test_the_client_is_told_of_a_parameter_that_was_lowered(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        body = chat(model="anthropic/claude-sonnet-4-5-20250929", temperature=1.5)
        told = await ask(proxy.port, request(body))
        silent = await ask(proxy.port, request(chat(temperature=1.5)))

    assert b"X-Korad-Adjusted: temperature\r\n" in told.head
    assert b"X-Korad-Adjusted" not in silent.head
