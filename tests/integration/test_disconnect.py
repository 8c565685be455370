"""What a client that leaves is billed, by its provider's `on_disconnect`."""

from __future__ import annotations

import asyncio

import pytest

from korad.domain.event import EventStatus
from korad.simulator import Fault, Script
from tests.support.books import events_in
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, chat, request


async def leave(proxy, *, stream):
    """Ask, and leave once the provider has the request (and, of a stream, the head has come)."""
    async with RawConnection(proxy.port) as leaving:
        leaving.send(request(chat(stream=stream)))
        await proxy.simulator.until(lambda: proxy.simulator.requests)
        if stream:
            await leaving.head()


async def written(tmp_path):
    async with asyncio.timeout(10):
        while not (events := events_in(tmp_path / "state")):  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.02)
    return events


@pytest.mark.parametrize("stream", [True, False])
async def test_a_drained_answer_is_billed_by_the_providers_report(tmp_path, stream):
    async with running_proxy(tmp_path, openai='on_disconnect = "drain"') as proxy:
        proxy.simulator.script = Script(completion_tokens=40, first_token_s=0.1, latency_s=0.2)
        await leave(proxy, stream=stream)
        (event,) = await written(tmp_path)

        assert (EventStatus.CLIENT_DISCONNECT, "provider", 40) == (
            event.data.status,
            event.data.usage_source,
            event.data.output_tokens,
        )
        assert {} == {name: n for name, n in proxy.app._shell.drains.items() if n}


async def test_a_cancelled_answer_is_billed_as_far_as_it_came(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        proxy.simulator.script = Script(completion_tokens=1_000, token_interval_s=0.01)
        await leave(proxy, stream=True)
        (event,) = await written(tmp_path)

        assert (EventStatus.CLIENT_DISCONNECT, "counted") == (
            event.data.status,
            event.data.usage_source,
        )
        assert event.data.output_tokens < 500
        assert proxy.entry.completion_tokens >= event.data.output_tokens


async def test_a_drain_is_bounded_in_time_and_number(tmp_path):
    openai = 'on_disconnect = "drain"\ndrain_timeout_s = 0.2\ndrains_max = 1'
    async with running_proxy(tmp_path, openai=openai) as proxy:
        proxy.simulator.script = Script(fault=Fault.STALL_MID_STREAM)
        await asyncio.gather(*(leave(proxy, stream=True) for _ in range(3)))
        async with asyncio.timeout(10):
            while len(events_in(tmp_path / "state")) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        assert 0 == proxy.app._shell.inflight
        assert {0} == set(proxy.app._shell.drains.values())
