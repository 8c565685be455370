"""The soak, and the rolling restart."""

from __future__ import annotations

import asyncio
import signal
from typing import NamedTuple

from bench.drills import processes
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Mix
from bench.drills.redis_faults import why
from bench.drills.redis_server import embedded_id
from bench.drills.scene import Order, Scene, scene

MIB = 1024 * 1024
PARTS = ("workers", "bookkeeper", "Redis")
SLOPE_S_MIN = 120
"""Less tells nothing about a slope, nor about one turn in a hundred."""
WARM_WORDS, WARM_CALLS = 25_000, 2_000
"""Some 300 MB of prompts: each worker remembers up to 144 MiB of them."""
TALK_MESSAGES, TALK_CALLS = 1_000, 250
"""Each worker remembers the counts of some 84,000 messages."""
RSS_SLOPE_MIB_MAX = 1.0
"""A minute, over the second half: the first fills caches."""
SAMPLE_S = 2.0
SHORT_STREAM = "[ledger]\nstream_keep_s = 30"
"""Redis keeps what is booked for an hour otherwise, and grows for as long."""
LIVE_MS_MAX = 5.0
"""A new connection and an answer from the loop that serves everybody else."""
LAG_MS_MAX = 5.0
LAG_BUCKET = 'korad_loop_lag_seconds_bucket{le="'


class Sample(NamedTuple):
    """What korad's processes held at one moment."""

    at_s: float
    mib: tuple[float, ...]
    """Of `PARTS`; the bookkeeper's with the supervisor's."""
    descriptors: int


async def soak(order: Order, checks: Checks) -> None:
    """Go on for minutes at a steady rate; memory and descriptors must not grow."""
    async with scene(order, checks, workers=2, tail=SHORT_STREAM) as stage:
        load = stage.load(rate=order.rate_of(60, 80), mix=Mix(leaves=0.02))
        seconds = order.time_s(12, 600)
        if seconds >= SLOPE_S_MIN:
            await _fill_memories(stage)
        load.start()
        lags_before = await _loop_lags(stage)
        samples: list[Sample] = []
        loop = asyncio.get_running_loop()
        started = loop.time()
        waits_ms = []
        while loop.time() < started + seconds:
            for _ in range(4):
                await asyncio.sleep(SAMPLE_S / 4)
                asked = loop.time()
                await asyncio.to_thread(stage.korad.get, "/livez")
                waits_ms.append(1_000 * (loop.time() - asked))
            samples.append(_held(stage, loop.time() - started))
        await load.stop()
        half = [each for each in samples if each.at_s >= seconds / 2]
        _tell_memory(checks, samples)
        checks.tell(f"{len(stage.calls)} calls, {load.shed} shed")
        waits_ms.sort()
        checks.tell(f"/livez answers in {waits_ms[int(0.99 * len(waits_ms))]:.1f} ms (p99)")
        if seconds >= SLOPE_S_MIN:
            _check_growth(checks, half)
            lag_ms = _p99_ms(lags_before, await _loop_lags(stage))
            checks.in_time("lag of the workers' loops, p99, ms at most", lag_ms, LAG_MS_MAX)
        checks.in_time("ms until /livez answers, median", waits_ms[len(waits_ms) // 2], LIVE_MS_MAX)
        _check_failed(checks, [call for call in stage.calls if call.left_s is None])
        await asyncio.sleep(1)
        more = _held(stage, seconds).descriptors - half[0].descriptors
        checks.at_most("descriptors at the end, beyond the half's", more, 8)
        # What is booked leaves the stream after half a minute.
        await stage.settle(drain_max_s=10, emptied=True)


def _tell_memory(checks: Checks, samples: list[Sample]) -> None:
    for part, name in enumerate(PARTS):
        tenths = [each.mib[part] for each in samples[:: max(1, len(samples) // 10)]]
        checks.tell(f"{name}: {' '.join(f'{mib:.0f}' for mib in tenths)} MiB")


def _check_growth(checks: Checks, samples: list[Sample]) -> None:
    for part, name in enumerate(PARTS):
        slope = 60 * _slope([(each.at_s, each.mib[part]) for each in samples])
        checks.at_most(f"growth of {name}, MiB a minute", slope, RSS_SLOPE_MIB_MAX)


async def _fill_memories(stage: Scene) -> None:
    """Send long prompts, all new, until what korad remembers of prompts has reached its bounds."""
    load = stage.load(mix=Mix(streams=0.0, tokens=(2, 2), prompt_words=(WARM_WORDS,)))
    await load.many(WARM_CALLS, at_once=6, adjust=_directly)
    await load.stop()
    talks = stage.load(mix=Mix(streams=1.0, tokens=(2, 2), prompt_words=(3,)))
    await talks.many(TALK_CALLS, at_once=6, adjust=_after_a_long_talk)
    await talks.stop()


async def _loop_lags(stage: Scene) -> dict[float, int]:
    """Return how many turns of the workers' loops were at most so many seconds late."""
    found = await asyncio.to_thread(stage.korad.metrics)
    return {
        float(name[len(LAG_BUCKET) : -2]): int(count)
        for name, count in found.items()
        if name.startswith(LAG_BUCKET)
    }


def _p99_ms(before: dict[float, int], after: dict[float, int]) -> float:
    """Return the bucket's bound that 99 of 100 turns between two readings kept."""
    turns = {bound: count - before[bound] for bound, count in after.items()}
    enough = 0.99 * max(turns.values())
    return 1_000 * min(bound for bound, count in turns.items() if count >= enough)


def _directly(call: Call) -> None:
    call.directives = ""


def _after_a_long_talk(call: Call) -> None:
    call.talk = tuple(f"{call.client_id}, {number} of many" for number in range(TALK_MESSAGES))
    _directly(call)


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


def _held(stage: Scene, at_s: float) -> Sample:
    workers = stage.korad.worker_ids()
    family = [stage.korad.process_id, *processes.children(stage.korad.process_id)]
    redis = [each for each in family if each == embedded_id(stage.korad.state)]
    others = [each for each in family if each not in (*workers, *redis)]
    return Sample(
        at_s,
        tuple(sum(map(processes.rss_bytes, each)) / MIB for each in (workers, others, redis)),
        sum(processes.descriptor_count(each) for each in family),
    )


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the least-squares slope of `points`."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
