"""Streams whose chunks go past their relay are the same to the client, and in the books."""

from __future__ import annotations

import pytest

from korad.domain.event import EventStatus
from korad.simulator import Script
from korad.web.bypass import Bypass
from tests.support.books import events_in
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.simulator import data_events

TOKENS = 60


@pytest.fixture
def passed(monkeypatch):
    """Return the chunks that a bypass took."""
    taken = []
    take = Bypass.take

    def noting(self, chunk):
        took = take(self, chunk)
        if took:
            taken.append(chunk)
        return took

    monkeypatch.setattr(Bypass, "take", noting)
    return taken


def text_of(events):
    choices = [choice for event in events if event != "[DONE]" for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def stream(proxy, **members):
    answer = await ask(proxy.port, request(chat(stream=True, **members)))
    return answer, data_events(answer.body)


@pytest.mark.parametrize("fast_lane", ["true", "false"])
async def test_the_second_stream_passes_and_is_the_same(tmp_path, passed, fast_lane):
    async with running_proxy(tmp_path, server=f"fast_lane = {fast_lane}") as proxy:
        proxy.simulator.script = Script(completion_tokens=TOKENS, token_interval_s=0.002)
        first, events = await stream(proxy)
        assert not passed  # nothing was known of how the model streams
        second, again = await stream(proxy)

        assert len(passed) > TOKENS / 2
        assert text_of(events) == text_of(again)
        assert len(text_of(again).split()) == TOKENS
        assert first.trailers == second.trailers
        tokens = [event.data.output_tokens for event in events_in(tmp_path / "state")]
        assert [TOKENS, TOKENS] == tokens


async def test_who_leaves_is_billed_what_passed(tmp_path, passed):
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(completion_tokens=TOKENS, token_interval_s=0.002)
        await stream(proxy)
        proxy.simulator.script = Script(completion_tokens=1_000, token_interval_s=0.01)
        async with RawConnection(proxy.port) as leaving:
            leaving.send(request(chat(stream=True)))
            await leaving.head()
            got = 0
            while got < 20:
                got += (await leaving.chunk()).count(b'"content"')
        await proxy.simulator.until(lambda: not proxy.app._shell.inflight)
        events = events_in(tmp_path / "state")

    assert len(passed) >= 10
    assert events[-1].data.status is EventStatus.CLIENT_DISCONNECT
    # The first of them had the role, and no text.
    assert 19 <= events[-1].data.output_tokens < 500


async def test_limits_and_the_response_cache_look_at_every_chunk(tmp_path, passed):
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(completion_tokens=TOKENS, token_interval_s=0.002)
        await stream(proxy)
        for _ in range(2):
            cached = request(chat(stream=True), lines=("X-Korad-Cache: on",))
            answer = await ask(proxy.port, cached)

    assert b"[DONE]" in answer.body
    assert not passed
