"""Streams whose chunks go past their relay are the same to the client, and in the books."""

from __future__ import annotations

import pytest

from korad.domain.event import EventStatus
from korad.simulator import Fault, Script
from korad.web.bypass import Bypass
from tests.support.books import events_in
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.simulator import data_events

TOKENS = 60
PACE_S = 0.005
"""Chunks that come at once are read as one, and do not pass."""
SURELY = 8
"""Chunks that pass even on a machine that stands still now and then."""


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
async def test_what_passes_is_the_same(tmp_path, passed, monkeypatch, fast_lane):
    async with running_proxy(tmp_path, server=f"fast_lane = {fast_lane}") as proxy:
        proxy.simulator.script = Script(completion_tokens=TOKENS, token_interval_s=PACE_S)
        with monkeypatch.context() as closed:
            closed.setattr(Bypass, "open", lambda *_: None)
            through_the_relay = await stream(proxy)
        assert not passed
        proxy.app._shell.rooms.deltas._models.clear()  # how the model streams is not known
        unknown = await stream(proxy)
        passed_unknown = len(passed)
        known = await stream(proxy)

        assert min(passed_unknown, len(passed) - passed_unknown) > SURELY
        assert len(text_of(known[1]).split()) == TOKENS
        assert text_of(through_the_relay[1]) == text_of(unknown[1]) == text_of(known[1])
        assert through_the_relay[0].trailers == unknown[0].trailers == known[0].trailers
        tokens = [event.data.output_tokens for event in events_in(tmp_path / "state")]
        assert [TOKENS] * 3 == tokens


async def test_a_long_text_that_must_be_counted_is_folded_on_the_way(tmp_path, passed):
    words = " ".join(["several words"] * 400)
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(
            text=words, chunk_tokens=4, fault=Fault.NO_USAGE, token_interval_s=PACE_S
        )
        answer, events = await stream(proxy)
        (event,) = events_in(tmp_path / "state")

    assert text_of(events) == words
    assert len(passed) > SURELY
    assert event.data.usage_source == "counted"
    assert len(words.split()) == event.data.output_tokens
    assert b"X-Korad-Billed-Amount" in answer.trailers


async def test_who_leaves_is_billed_what_passed(tmp_path, passed):
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(completion_tokens=TOKENS, token_interval_s=PACE_S)
        await stream(proxy)
        proxy.simulator.script = Script(completion_tokens=1_000, token_interval_s=PACE_S)
        async with RawConnection(proxy.port) as leaving:
            leaving.send(request(chat(stream=True)))
            await leaving.head()
            got = 0
            while got < TOKENS:
                got += (await leaving.chunk()).count(b'"content"')
        await proxy.simulator.until(lambda: not proxy.app._shell.inflight)
        events = events_in(tmp_path / "state")

    assert len(passed) > SURELY
    assert events[-1].data.status is EventStatus.CLIENT_DISCONNECT
    # The first of them had the role, and no text.
    assert TOKENS - 1 <= events[-1].data.output_tokens < 500


async def test_of_what_is_to_be_stored_nothing_passes(tmp_path, passed):
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(completion_tokens=TOKENS, token_interval_s=PACE_S)
        cached = request(chat(stream=True), lines=("X-Korad-Cache: on",))
        answers = [await ask(proxy.port, cached) for _ in range(2)]

    assert [True, True] == [b"[DONE]" in answer.body for answer in answers]
    assert not passed
