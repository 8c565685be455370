"""Drill 6: clients leave at any byte, by FIN and by RST, also before the head."""

from __future__ import annotations

import asyncio

from bench.drills import processes
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Mix
from bench.drills.provider import Entries
from bench.drills.scene import Order, Scene, scene

CLOSED_MS_MAX = 100.0
MIX = Mix(streams=0.8, leaves=1.0, interval_ms=(0, 1, 2, 5), prompt_words=(3, 10, 40))
AT_ONCE = 10


async def departures(order: Order, checks: Checks) -> None:
    """Leave thousands of answers, and look at what the provider and the kernel see of it."""
    async with scene(order, checks, workers=2) as stage:
        load = stage.load(mix=MIX)
        for _ in range(20):
            await load.ask(_staying(load.next_call()))
        await load.stop()
        baseline = _descriptors(stage)
        load = stage.load(mix=MIX)
        count = order.count(600, 10_000)
        await load.many(count, at_once=AT_ONCE, adjust=lambda _: None)
        await load.stop()
        await asyncio.sleep(0.5)
        left = [call for call in stage.calls if call.left_s is not None]
        checks.tell(f"{len(left)} of {count} left before the end of their answer")
        _check_closed(checks, await stage.provider.ledger(), left, CLOSED_MS_MAX * order.slack)
        checks.at_most("descriptors beyond the start's", _descriptors(stage) - baseline, 0)
        await stage.settle(drain_max_s=10)
        gauge = [value for name, value in stage.korad.metrics().items() if name == "korad_inflight"]
        checks.equal("korad_inflight", sum(gauge))


def _staying(call: Call) -> Call:
    call.leave_after_bytes = call.leave_after_s = None
    return call


def _check_closed(checks: Checks, entries: Entries, left: list[Call], ms_max: float) -> None:
    by_client = {entry["client_request_id"]: entry for entry in entries.values()}
    took_ms, never = [], []
    for call in left:
        entry = by_client.get(call.client_id)
        if entry is None or entry["completed"]:
            continue
        if entry["aborted_monotonic_s"] is None:
            never.append(call.client_id)
        else:
            assert call.left_s is not None
            took_ms.append(1000 * (entry["aborted_monotonic_s"] - call.left_s))
    took_ms.sort()
    checks.at_least("answers cut at the provider", len(took_ms), 1)
    checks.equal("answers never cut at the provider", len(never), note=", ".join(never[:5]))
    at_99 = took_ms[int(0.99 * (len(took_ms) - 1))]
    checks.tell(f"cut after {took_ms[len(took_ms) // 2]:.1f} ms (median), {took_ms[-1]:.0f} (most)")
    checks.in_time("ms from leaving to the provider's socket, p99", at_99, ms_max)


def _descriptors(stage: Scene) -> int:
    """Return the workers' descriptors but for the kept connections to the provider."""
    return sum(
        processes.descriptor_count(each) - processes.sockets_to(each, stage.provider.port)
        for each in stage.korad.worker_ids()
    )
