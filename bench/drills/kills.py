"""Drills 1 and 2: kill -9, of one worker after another, and of everything at once."""

from __future__ import annotations

import asyncio
import random
import signal
import time

from bench.drills import processes
from bench.drills.checks import Checks
from bench.drills.load import Load, Mix
from bench.drills.scene import Order, Scene, scene

PROBE_S = 0.02
BACK_MAX_S = 1.0
ANSWER_TIMEOUT_S = 30.0
MIX = Mix(leaves=0.05)


async def workers(order: Order, checks: Checks) -> None:
    """Kill one of two workers again and again under load."""
    async with scene(order, checks, workers=2) as stage:
        chance = random.Random(order.seed)
        load = stage.load(rate=order.rate_of(60, 120), mix=MIX)
        load.start()
        answered_s: list[float] = []
        replaced_s = []
        kills = order.count(8, 200)
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.2, 0.9))
            victim = chance.choice(stage.korad.worker_ids())
            processes.send(victim, signal.SIGKILL)
            killed = time.monotonic()
            if (after_s := await _until_answered(load)) is not None:
                answered_s.append(after_s)
            await _until_complete(stage, victim)
            replaced_s.append(time.monotonic() - killed)
        await load.stop()
        checks.tell(
            f"{kills} kills; a worker is replaced in {max(replaced_s):.2f} s at most, "
            f"{sum(replaced_s) / kills:.2f} s on average"
        )
        checks.equal("kills after which nobody answered", kills - len(answered_s))
        slowest_s = max(answered_s, default=0.0)
        checks.in_time("seconds from a kill to an answer", slowest_s, BACK_MAX_S * order.slack)
        checks.equal("supervisor died", 0 if stage.korad.runs else 1)
        checks.at_least("whole answers", sum(call.ok for call in stage.calls), kills)
        await stage.settle(drain_max_s=10)


async def tree(order: Order, checks: Checks) -> None:
    """Kill supervisor, workers, bookkeeper and embedded Redis at once, and start again."""
    async with scene(order, checks, workers=2) as stage:
        chance = random.Random(order.seed)
        rounds = order.count(3, 30)
        for number in range(rounds):
            load = stage.load(rate=order.rate_of(60, 120), mix=MIX)
            load.start()
            await asyncio.sleep(chance.uniform(0.8, 2.0))
            # Every second time Redis is left running: a start must find and use it.
            await stage.korad.kill_tree(redis=number % 2 == 0)
            await load.stop()
            await stage.korad.start()
        checks.at_least("whole answers", sum(call.ok for call in stage.calls), rounds)
        await stage.settle(drain_max_s=10)


async def _until_answered(load: Load) -> float | None:
    """Return after how many seconds a small request is answered again; None: it is not."""
    started = time.monotonic()
    while True:
        call = load.next_call()
        call.stream, call.tokens, call.prompt = False, 2, "probe"
        call.directives, call.leave_after_s, call.leave_after_bytes = "", None, None
        await load.ask(call)
        if call.ok:
            return time.monotonic() - started
        await asyncio.sleep(PROBE_S)
        if time.monotonic() > started + ANSWER_TIMEOUT_S:
            return None


async def _until_complete(stage: Scene, victim: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = stage.korad.worker_ids()
        if len(found) == stage.korad.workers and victim not in found:
            return
        await asyncio.sleep(PROBE_S)
