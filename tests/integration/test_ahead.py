"""A big body that comes slowly is transformed while it comes."""

from __future__ import annotations

import asyncio
import threading

import orjson
import pytest

from korad.optimizer import Chain
from korad.optimizer.base import LOW, Transform
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, chat, request

WAIT_S = 10.0
COUNT = 40
MESSAGES = [{"role": "user", "content": f"{n} " + "some words " * 400} for n in range(COUNT)]
BODY = request(chat(messages=MESSAGES))


class Seen:
    """A transform that notes which blocks it was given, and takes half of each."""

    def __init__(self, proxy, wanted):
        self.blocks = []
        self._wanted = wanted
        self.reached = threading.Event()
        each = Transform(name="Half", level=LOW, apply=self._apply)
        proxy.app._rooms.chain = Chain(len, [each], ())

    def _apply(self, block):
        self.blocks.append(int(block.text.split(" ")[0]))
        if len(self.blocks) == self._wanted:
            self.reached.set()
        return block.text[: len(block.text) // 2]


@pytest.fixture
def slow(monkeypatch):
    """Take every body for one that comes slowly."""
    monkeypatch.setattr("korad.web.ahead.SLOW_NS", 0)


@pytest.mark.usefixtures("slow")
async def test_all_but_the_last_message_are_dealt_with_before_the_body_is_complete(tmp_path):
    cut = BODY.rindex(b"some words")
    async with (
        running_proxy(tmp_path, server="access_log = false") as proxy,
        RawConnection(proxy.port) as connection,
    ):
        seen = Seen(proxy, COUNT - 1)
        connection.send(BODY[:cut])
        assert await asyncio.to_thread(seen.reached.wait, WAIT_S)
        before = list(seen.blocks)
        connection.send(BODY[cut:])
        answer = await connection.answer()
        (sent,) = proxy.simulator.requests
        texts = [message["content"] for message in orjson.loads(sent.body)["messages"]]

    assert (answer.status, answer.headers["x-korad-strategy"]) == (200, "Half (medium)")
    assert before == list(range(COUNT - 1))
    assert seen.blocks == list(range(COUNT))
    assert texts == [m["content"][: len(m["content"]) // 2] for m in MESSAGES]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("line", ["X-Savings-Level: off", "x-bf-vk: sk-bf-nobody"])
async def test_nothing_is_done_ahead_where_nothing_will_be_asked(tmp_path, line):
    body = request(chat(messages=MESSAGES), lines=(line,))
    async with (
        running_proxy(tmp_path, server="access_log = false") as proxy,
        RawConnection(proxy.port) as connection,
    ):
        seen = Seen(proxy, 1)
        half = len(body) // 2
        connection.send(body[:half])
        connection.send(body[half:])
        answer = await connection.answer()

    assert answer.status in (200, 401)
    assert seen.blocks == []
