"""The soak, and the rolling restart."""

from __future__ import annotations

import asyncio
import signal

from bench.drills import processes
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Mix
from bench.drills.redis_faults import why
from bench.drills.scene import Order, Scene, scene

MIB = 1024 * 1024
RSS_SLOPE_MIB_MAX = 1.0
"""A minute, over the second half: the first fills caches."""
SAMPLE_S = 2.0
LIVE_MS_MAX = 5.0
"""A new connection and an answer from the loop that serves everybody else."""


async def soak(order: Order, checks: Checks) -> None:
    """Go on for minutes at a steady rate; memory and descriptors must not grow."""
    async with scene(order, checks, workers=2) as stage:
        load = stage.load(rate=order.rate_of(60, 80), mix=Mix(leaves=0.02))
        seconds = order.time_s(12, 600)
        load.start()
        samples: list[tuple[float, int, int]] = []
        loop = asyncio.get_running_loop()
        started = loop.time()
        waits_ms = []
        while loop.time() < started + seconds:
            for _ in range(4):
                await asyncio.sleep(SAMPLE_S / 4)
                asked = loop.time()
                await asyncio.to_thread(stage.korad.get, "/livez")
                waits_ms.append(1_000 * (loop.time() - asked))
            samples.append((loop.time() - started, *_held(stage)))
        await load.stop()
        half = [each for each in samples if each[0] >= seconds / 2]
        if seconds >= 120:  # noqa: PLR2004 - less tells nothing about a slope
            slope = 60 * _slope([(at, rss / MIB) for at, rss, _ in half])
            checks.at_most("memory's growth, MiB a minute", slope, RSS_SLOPE_MIB_MAX)
        checks.tell(
            f"memory {samples[0][1] / MIB:.0f} -> {samples[-1][1] / MIB:.0f} MiB, descriptors "
            f"{samples[0][2]} -> {samples[-1][2]}, {len(stage.calls)} calls, {load.shed} shed"
        )
        waits_ms.sort()
        checks.tell(f"/livez answers in {waits_ms[int(0.99 * len(waits_ms))]:.1f} ms (p99)")
        checks.at_most("ms until /livez answers, median", waits_ms[len(waits_ms) // 2], LIVE_MS_MAX)
        stayed = [call for call in stage.calls if call.left_s is None]
        checks.equal("failed requests", sum(not call.ok for call in stayed), note=why(stayed))
        await asyncio.sleep(1)
        checks.at_most("descriptors at the end, beyond the half's", _held(stage)[1] - half[0][2], 8)
        await stage.settle(drain_max_s=10)


async def rolling(order: Order, checks: Checks) -> None:
    """SIGTERM one worker after another, then korad itself beside its successor, under load."""
    async with scene(order, checks, workers=2) as stage:
        load = stage.load(rate=order.rate_of(60, 120), mix=Mix())
        load.start()
        for _ in range(order.count(2, 10)):
            for victim in stage.korad.worker_ids():
                await asyncio.sleep(0.5)
                processes.send(victim, signal.SIGTERM)
                await _replaced(stage, victim)
        checks.equal("exit code beside the successor", await stage.korad.replace())
        await asyncio.sleep(1)
        await load.stop()
        _check_failed(checks, stage.calls)
        code_before = await stage.settle(drain_max_s=10)
        checks.at_least("events", len(code_before.events), 1)
        checks.equal("exit code of the end by SIGTERM", await stage.korad.stop())


def _check_failed(checks: Checks, calls: list[Call]) -> None:
    """Demand that all were answered.

    A kept connection may be closed by the server while a request is on its way to it: clients send
    such a request again, if not a byte of an answer came.
    """
    stale = [c for c in calls if not c.ok and c.reused and not c.bytes_received]
    failed = [c for c in calls if not c.ok and c not in stale]
    checks.equal("failed requests", len(failed), note=why(failed))
    checks.tell(f"{len(stale)} of {len(calls)} met a kept connection that was being closed")


async def _replaced(stage: Scene, victim: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 40
    while loop.time() < deadline:
        found = stage.korad.worker_ids()
        if len(found) == stage.korad.workers and victim not in found:
            return
        await asyncio.sleep(0.05)


def _held(stage: Scene) -> tuple[int, int]:
    family = [stage.korad.process_id, *processes.children(stage.korad.process_id)]
    rss = sum(processes.rss_bytes(each) for each in family)
    return rss, sum(processes.descriptor_count(each) for each in family)


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the least-squares slope of `points`."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
