"""The far side on real sockets: reuse, one safe retry, limits, timeouts, TLS."""

from __future__ import annotations

import asyncio
import ssl
import subprocess

import pytest

from korad.simulator import Fault, Script
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.upstream import ANSWER, WHOLE, Gate, read_request, upstream

PLAIN = request(chat())
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


async def answer_all(reader, writer, _number):
    while True:
        await read_request(reader)
        writer.write(WHOLE)


# ── connections are kept ─────────────────────────────────────────────────────────────────────


async def test_connections_are_kept_and_used_again(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        statuses = [(await ask(proxy.port, PLAIN)).status for _ in range(10)]

        assert [200] * 10 == statuses
        assert 1 == proxy.simulator.connections


async def test_a_stale_connection_is_replaced_without_anybody_noticing(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(fault=Fault.STALE_KEEPALIVE)
        answers = [await ask(proxy.port, PLAIN) for _ in range(4)]

        assert [200] * 4 == [answer.status for answer in answers]
        assert [1] * 4 == [entry.attempt for entry in proxy.simulator.ledger.values()]


async def test_a_request_is_sent_once_more_and_not_twice(tmp_path):
    received = []

    async def serve(reader, writer, number):
        received.append(number)
        await read_request(reader)
        if number == 1:
            writer.write(WHOLE)
            received.append(number)
            await read_request(reader)

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        first = await ask(proxy.port, PLAIN)
        second = await ask(proxy.port, PLAIN)

    assert 200 == first.status
    assert (502, "upstream_error", "upstream_broken") == second.error
    assert [1, 1, 2] == received


async def test_a_request_is_not_sent_again_once_a_byte_of_an_answer_came(tmp_path):
    received = []

    async def serve(reader, writer, number):
        await read_request(reader)
        received.append(number)
        writer.write(WHOLE)
        await read_request(reader)
        received.append(number)
        writer.write(b"H")
        await writer.drain()

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        first = await ask(proxy.port, PLAIN)
        second = await ask(proxy.port, PLAIN)

    assert (200, 502) == (first.status, second.status)
    assert [1, 1] == received


async def test_bytes_nobody_asked_for_never_become_an_answer(tmp_path):
    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(WHOLE + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await read_request(reader)

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        answers = [await ask(proxy.port, PLAIN) for _ in range(3)]

    assert all(b"evil" not in answer.body for answer in answers)


async def test_interim_answers_are_skipped(tmp_path):
    async def serve(reader, writer, _number):
        while True:
            await read_request(reader)
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WHOLE)

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        answers = [await ask(proxy.port, PLAIN) for _ in range(2)]

    assert [ANSWER] * 2 == [answer.body for answer in answers]


async def test_a_stream_may_come_whole_and_with_a_length(tmp_path):
    events = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'

    async def serve(reader, writer, _number):
        while True:
            await read_request(reader)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d"
            writer.write(head % len(events) + b"\r\n\r\n" + events)

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        answers = [await ask(proxy.port, request(chat(stream=True))) for _ in range(2)]

    assert [200, 200] == [answer.status for answer in answers]
    assert all(answer.body.endswith(b"data: [DONE]\n\n") for answer in answers)


async def test_an_answer_without_framing_ends_with_the_connection(tmp_path):
    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        answers = [await ask(proxy.port, PLAIN) for _ in range(2)]

    assert [ANSWER] * 2 == [answer.body for answer in answers]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
    ids=["two lengths", "length and chunked", "negative", "compressed", "upgrade", "huge head"],
)
async def test_an_answer_that_cannot_be_trusted_is_a_broken_one(tmp_path, head):
    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(head + b"hello")
        await reader.read()

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        answer = await ask(proxy.port, PLAIN)

    assert (502, "upstream_error", "upstream_broken") == answer.error


async def test_a_stream_whose_end_stalls_its_reader_gives_the_connection_back(tmp_path):
    event = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 7_000_000)
    data = event + b"data: [DONE]\n\n"
    settled = asyncio.Event()

    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(STREAM_HEAD + b"%x\r\n%b\r\n" % (len(data), data))
        await writer.drain()
        await settled.wait()
        writer.write(b"0\r\n\r\n")
        await read_request(reader)
        writer.write(WHOLE)
        await reader.read()

    async with (
        upstream(serve) as url,
        running_proxy(tmp_path, openai_base_url=url, openai="connections_max = 1") as proxy,
        RawConnection(proxy.port, read_buffer_bytes=4_096) as slow,
    ):
        slow.send(request(chat(stream=True)))
        await slow.head()
        await inflight_is(proxy, 0)
        settled.set()

        assert 200 == (await ask(proxy.port, PLAIN)).status


async def inflight_is(proxy, count):
    """Wait until so many exchanges are under way."""
    async with asyncio.timeout(10):
        while True:
            if (await ask(proxy.port, request(method="GET", path="/readyz"))).json[
                "inflight"
            ] == count:
                return


# ── the cap and its queue ────────────────────────────────────────────────────────────────────


async def test_requests_beyond_the_cap_wait_for_a_connection(tmp_path):
    async with running_proxy(tmp_path, openai="connections_max = 2") as proxy:
        proxy.simulator.script = Script(latency_s=0.02)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(proxy.port, PLAIN)) for _ in range(12)]

        assert [200] * 12 == [task.result().status for task in tasks]
        assert 2 == proxy.simulator.connections


async def test_who_leaves_the_queue_is_never_sent(tmp_path):
    gate, one = Gate(WHOLE), "connections_max = 1"
    async with (
        upstream(gate.serve) as url,
        running_proxy(tmp_path, openai=one, openai_base_url=url) as proxy,
    ):
        async with RawConnection(proxy.port) as first:
            first.send(PLAIN)
            await gate.asked()
            async with RawConnection(proxy.port) as second:
                second.send(request(chat(user="left")))
                await inflight_is(proxy, 2)
            await inflight_is(proxy, 1)
            gate.open()
            assert 200 == (await first.answer()).status

        assert 200 == (await ask(proxy.port, request(chat(user="stayed")))).status
        assert [False, False] == [b"left" in body for body in gate.bodies]


async def test_a_connection_that_failed_makes_room_for_who_waits(tmp_path):
    async with running_proxy(tmp_path, openai="connections_max = 1") as proxy:
        proxy.simulator.script = Script(fault=Fault.RESET_BEFORE_HEAD, latency_s=0.02)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(proxy.port, PLAIN)) for _ in range(5)]

        assert [502] * 5 == [task.result().status for task in tasks]


# ── unreachable, slow ────────────────────────────────────────────────────────────────────────


async def test_nobody_listening_is_unreachable(tmp_path):
    async with running_proxy(tmp_path, openai_base_url="http://127.0.0.1:1/v1") as proxy:
        answer = await ask(proxy.port, PLAIN)

    assert (502, "upstream_error", "upstream_unreachable") == answer.error


async def test_a_name_that_does_not_exist_is_unreachable(tmp_path):
    async with running_proxy(tmp_path, openai_base_url="http://nowhere.invalid/v1") as proxy:
        answer = await ask(proxy.port, PLAIN)

    assert (502, "upstream_error", "upstream_unreachable") == answer.error


async def test_a_handshake_that_does_not_end_times_out(tmp_path):
    async def serve(reader, _writer, _number):
        await reader.read()

    async with upstream(serve) as url:
        tls_url = url.replace("http:", "https:")
        limits = "connect_timeout_s = 0.2"
        async with running_proxy(tmp_path, openai_base_url=tls_url, openai=limits) as proxy:
            answer = await ask(proxy.port, PLAIN)

    assert (504, "upstream_error", "upstream_timeout") == answer.error


@pytest.mark.parametrize(
    ("limits", "script"),
    [
        ("first_byte_timeout_s = 0.2", Script(latency_s=3_600)),
        ("idle_timeout_s = 0.2", Script(fault=Fault.STALL_MID_STREAM)),
    ],
)
async def test_a_provider_that_falls_silent_times_out(tmp_path, limits, script):
    async with running_proxy(tmp_path, openai=limits) as proxy:
        proxy.simulator.script = script
        answer = await ask(proxy.port, PLAIN)
        await proxy.simulator.until(lambda: proxy.entry.aborted_at is not None)

    assert (504, "upstream_error", "upstream_timeout") == answer.error


async def test_a_stream_as_long_as_it_keeps_coming_never_times_out(tmp_path):
    limits = "idle_timeout_s = 0.6\nfirst_byte_timeout_s = 0.6"
    async with running_proxy(tmp_path, openai=limits) as proxy:
        proxy.simulator.script = Script(completion_tokens=30, token_interval_s=0.06)
        answer = await ask(proxy.port, request(chat(stream=True)))

    assert answer.body.endswith(b"data: [DONE]\n\n")


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


def openssl(folder, *words):
    subprocess.run(  # noqa: S603 - a fixed command
        ["openssl", *words],  # noqa: S607 - found on the path as any tool
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return a folder with ca.pem, and a certificate for localhost in cert.pem and key.pem."""
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA",
        "-days", "36500",
    )  # fmt: skip
    openssl(
        folder, "req", "-x509", *key, "-keyout", "key.pem", "-out", "cert.pem",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "36500",
        "-CA", "ca.pem", "-CAkey", "ca.key",
    )  # fmt: skip
    return folder


def server_context(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path, authority):
    async with (
        upstream(answer_all, tls=server_context(authority)) as url,
        running_proxy(tmp_path, openai_base_url=url) as proxy,
    ):
        answer = await ask(proxy.port, PLAIN)

    assert (502, "upstream_error", "upstream_unreachable") == answer.error
    assert "certificate" in answer.json["error"]["message"]


async def test_a_certificate_for_another_host_is_refused(tmp_path, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    async with upstream(answer_all, tls=server_context(authority)) as url:
        address = url.replace("localhost", "127.0.0.1")
        async with running_proxy(tmp_path, openai_base_url=address) as proxy:
            answer = await ask(proxy.port, PLAIN)

    assert (502, "upstream_error", "upstream_unreachable") == answer.error


async def test_a_good_certificate_is_accepted_and_its_session_resumed(
    tmp_path, authority, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    resumed = []

    async def serve(reader, writer, _number):
        resumed.append(writer.get_extra_info("ssl_object").session_reused)
        await read_request(reader)
        writer.write(WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        await writer.drain()

    async with (
        upstream(serve, tls=server_context(authority)) as url,
        running_proxy(tmp_path, openai_base_url=url) as proxy,
    ):
        answers = [await ask(proxy.port, PLAIN) for _ in range(3)]

    assert [ANSWER] * 3 == [answer.body for answer in answers]
    assert [False, True, True] == resumed


# ── bytes and hosts that no provider should have ─────────────────────────────────────────────


@pytest.mark.parametrize(
    "extra", [b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nmore", WHOLE]
)
async def test_bytes_behind_an_answer_never_become_part_of_the_next(tmp_path, extra):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"

    async def serve(reader, writer, number):
        while True:
            await read_request(reader)
            body = ANSWER.replace(b'"c"', b'"%d"' % number)
            writer.write(chunked % (len(body), body) + (extra if number == 1 else b""))

    async with (
        upstream(serve) as url,
        running_proxy(tmp_path, openai_base_url=url) as proxy,
    ):
        answers = [await ask(proxy.port, PLAIN) for _ in range(3)]

        assert [(200, "1"), (200, "2"), (200, "2")] == [
            (answer.status, answer.json["id"]) for answer in answers
        ]


async def test_a_provider_that_switches_protocols_is_broken(tmp_path):
    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nx"
        )
        await reader.read()

    async with (
        upstream(serve) as url,
        running_proxy(tmp_path, openai_base_url=url) as proxy,
    ):
        answer = await ask(proxy.port, PLAIN)

        assert (502, "upstream_error", "upstream_broken") == answer.error
        assert "not valid HTTP" in answer.json["error"]["message"]


async def test_a_host_that_no_name_can_spell_is_unreachable(tmp_path):
    async with running_proxy(tmp_path, openai_base_url="http://a..b:9/v1") as proxy:
        answer = await ask(proxy.port, PLAIN)

        assert (502, "upstream_error", "upstream_unreachable") == answer.error
