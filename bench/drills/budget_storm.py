"""Drill 12: hundreds at once on one key whose budget is nearly spent, with kills and departures."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter

from bench.drills import processes
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Load, Mix
from bench.drills.scene import Order, Scene, scene
from bench.drills.server import MARGIN_BP, OUTPUT_PICO_USD

NANO_PER_USD = 1_000_000_000
SLICE_TOKENS = 256
SLICE_NANO_USD = SLICE_TOKENS * OUTPUT_PICO_USD * MARGIN_BP // 10_000 // 1_000
MIX = Mix(streams=0.8, leaves=0.5, tokens=(20, 400), prompt_words=(3, 10), interval_ms=(0, 1, 2))
_OVER_BUDGET = (402, 429)


async def budget_storm(order: Order, checks: Checks) -> None:
    """Spend a budget many times over at once; what is spent may not exceed it by over a slice."""
    async with scene(order, checks, workers=4, keys=1) as stage:
        limit = order.count(2_000_000, 20_000_000)
        key_id, key = await stage.korad.make_key(
            "nearly-spent", "--budget-usd", f"{limit / NANO_PER_USD:.9f}"
        )
        await asyncio.sleep(1.5)  # the workers look for new keys
        chance = random.Random(order.seed)
        load = stage.load(mix=MIX, keys=[key])
        storm = asyncio.create_task(_storm(load, at_once=order.count(100, 500)))
        for _ in range(order.count(4, 20)):
            await asyncio.sleep(chance.uniform(0.3, 0.8))
            if storm.done():
                break
            processes.send(chance.choice(stage.korad.worker_ids()), signal.SIGKILL)
        await storm
        await load.stop()
        accounts = await stage.settle(drain_max_s=10)
        spent = sum(e.data.billed_nano_usd for e in accounts.events if e.data.key_id == key_id)
        told = Counter(
            f"{call.status} {call.error_code or call.error or ''}" for call in load.calls
        )
        checks.tell(f"spent {spent:,} of {limit:,} nano-USD; {dict(told.most_common(6))}")
        checks.at_most("spent beyond the budget, nano-USD", spent - limit, SLICE_NANO_USD)
        checks.at_least("spent, per cent of the budget", 100 * spent / limit, 50)
        await _check_spurious(stage, checks, key, limit - spent)


async def _storm(load: Load, *, at_once: int) -> None:
    """Go on asking until the budget refuses nearly everything."""

    async def client() -> None:
        refused = 0
        while refused < 3:  # noqa: PLR2004 - in a row
            call = await load.ask(load.next_call())
            refused = refused + 1 if call.status in _OVER_BUDGET else 0
            await asyncio.sleep(0.01)

    await asyncio.gather(*(client() for _ in range(at_once)))


async def _check_spurious(stage: Scene, checks: Checks, key: str, left: int) -> None:
    """Demand that the rest of the budget can still be spent, and that more is refused."""
    small = Call("after-the-storm", key, stream=False, tokens=2, prompt="x")
    stage.calls.append(small)
    await stage.load(keys=[key]).ask(small)
    worst = 20_000
    if left > worst:
        checks.equal("refused although the budget has room", int(not small.ok), note=str(small))
    elif left <= 0:
        checks.equal("answered although the budget is spent", int(small.ok))
    checks.tell(f"{left:,} nano-USD left: {small.status} {small.error_code or ''}")
