"""Ends of an exchange and of a connection that no peer can be made to cause on time."""

from __future__ import annotations

import asyncio

from korad.domain.exchange import Outcome
from korad.upstream import pool
from korad.web.relay import Relay
from tests.support.proxy import running_proxy
from tests.support.raw_http import KEY, RawConnection, ask, chat, request
from tests.support.upstream import read_request, upstream


class Kept:
    """Stands for the pool, its handle and the record sink: keeps what it is given."""

    def __init__(self):
        self.records = []

    def send(self, _call, listener):
        listener.on_sent()
        return self

    def cancel(self, _listener):
        pass

    resume = cancel

    def note(self, record):
        self.records.append(record)


async def test_a_client_that_leaves_while_a_stale_connection_is_replaced_owes_nothing(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        shell, kept = proxy.app._shell, Kept()
        shell.pool = shell.records = kept
        head = shell.heads.read({b"x-bf-vk": KEY.encode()})
        relay = Relay(shell, client=None, keep_alive=True, chunked=True)
        relay.start(head, request(chat()).partition(b"\r\n\r\n")[2])
        relay.on_retry(kept)
        relay.client_gone()
        await asyncio.sleep(0)  # what ends in a turn of the loop is written at its end

        assert [(Outcome.CLIENT_ABORTED, None)] == [(r.outcome, r.charge) for r in kept.records]
        assert 0 == shell.inflight


async def test_an_answer_left_unread_below_the_mark_does_not_keep_its_connection(tmp_path):
    class Unread:
        aborted = False

        def get_write_buffer_size(self):
            return 1

        def abort(self):
            self.aborted = True

    async with running_proxy(tmp_path) as proxy, RawConnection(proxy.port) as connection:
        await connection.ask(request(chat()))
        (lane,) = proxy.app._runner.server.connections
        real, lane.transport = lane.transport, Unread()
        lane.on_deadline()
        seen, lane.transport = lane.transport, real

        assert seen.aborted


async def test_a_client_that_offers_http2_is_served(tmp_path):
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    async with running_proxy(tmp_path) as proxy, RawConnection(proxy.port) as connection:
        answer = await connection.ask(request(chat(), lines=lines))

        assert 200 == answer.status


async def test_clients_that_left_do_not_fill_the_queue_for_a_connection(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WAITING_MAX", 1)
    async with running_proxy(tmp_path, openai="connections_max = 1") as proxy:
        shell = proxy.app._shell
        head = shell.heads.read({b"x-bf-vk": KEY.encode()})
        relays = [Relay(shell, client=None, keep_alive=True, chunked=True) for _ in range(3)]
        for relay in relays[:2]:
            relay.start(head, request(chat()).partition(b"\r\n\r\n")[2])
        relays[1].client_gone()
        relays[2].start(head, request(chat()).partition(b"\r\n\r\n")[2])
        (site,) = shell.pool._sites.values()

        assert [relays[2]] == [pending.listener for pending in site._waiting]
        for relay in relays[::2]:
            relay.client_gone()
        await asyncio.sleep(0)
        assert 0 == shell.inflight


async def test_a_provider_that_goes_on_after_done_is_cut_off(tmp_path):
    cut = asyncio.Event()

    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        event = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\ndata: [DONE] \n\n'
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        try:
            while True:
                writer.write(b"3\r\n: x\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            cut.set()

    async with upstream(serve) as url, running_proxy(tmp_path, openai_base_url=url) as proxy:
        answer = await ask(proxy.port, request(chat(stream=True)))
        await asyncio.wait_for(cut.wait(), 10)

    assert 200 == answer.status
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_a_client_that_leaves_amid_its_body_is_no_error_of_ours(tmp_path, caplog):
    async with running_proxy(tmp_path) as proxy:
        noted = asyncio.get_running_loop().create_future()
        kept = proxy.app._shell.records = Kept()
        kept.note = noted.set_result
        head, end, _ = request(chat(), lines=("Expect: 100-continue",)).partition(b"\r\n\r\n")
        async with RawConnection(proxy.port) as client:
            client.send(head + end)
            await client.head()
            client.send(b'{"model":')
        async with asyncio.timeout(5):
            record = await noted

    assert (Outcome.REFUSED, "bad_request") == (record.outcome, record.error_code)
    assert [] == caplog.records
