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
WORKERS = 4
KEY_KNOWN_S = 1.5
"""By then every worker has looked for new keys."""
PATIENT = "[limits]\ndeadline_ms = 5000"
EXPOSURE_NANO_USD = 500_000
IMPATIENT = f"[limits]\ndeadline_ms = 1\nexposure_usd = {EXPOSURE_NANO_USD / NANO_PER_USD}"
REFUSALS = 3
"""In a row: then a client of the storm gives up."""
HOLDS_FREE_S = 1.0
"""A killed worker's successor ends its holds until then."""
PROBE_NANO_USD = 20_000
"""More than a request of a few tokens can cost."""
_OVER_BUDGET = 402


async def budget_storm(order: Order, checks: Checks) -> None:
    """Spend a budget many times over at once: it may not be exceeded by more than a slice."""
    async with scene(order, checks, workers=WORKERS, keys=1, tail=PATIENT) as stage:
        limit = order.size(2_000_000, 20_000_000)
        key_id, key = await _key(stage, limit, "closed")
        chance = random.Random(order.seed)
        load = stage.load(mix=MIX, keys=[key])
        kills_over = asyncio.Event()
        storm = asyncio.create_task(_storm(load, order.size(100, 500), kills_over))
        for _ in range(order.count(4, 20)):
            await asyncio.sleep(chance.uniform(0.3, 0.8))
            processes.send(chance.choice(stage.korad.worker_ids()), signal.SIGKILL)
        await asyncio.sleep(HOLDS_FREE_S * order.slack)
        kills_over.set()
        await storm
        spent = await _settled(stage, load, key_id, limit)
        checks.at_most("spent beyond the budget, nano-USD", spent - limit, SLICE_NANO_USD)
        checks.at_least("spent, per cent of the budget", 100 * spent / limit, 50)
        await _check_rest(stage, checks, key, limit - spent)


async def impatient_storm(order: Order, checks: Checks) -> None:
    """Storm while limits are too slow to be asked: only the exposure may be added."""
    async with scene(order, checks, workers=WORKERS, keys=1, tail=IMPATIENT) as stage:
        limit = order.size(1_000_000, 10_000_000)
        key_id, key = await _key(stage, limit, "open")
        load = stage.load(mix=MIX, keys=[key])
        no_kills = asyncio.Event()
        no_kills.set()
        await _storm(load, order.size(60, 300), no_kills)
        spent = await _settled(stage, load, key_id, limit)
        most = WORKERS * EXPOSURE_NANO_USD + SLICE_NANO_USD
        checks.at_most("spent beyond the budget, nano-USD", spent - limit, most)


async def _key(stage: Scene, limit: int, policy: str) -> tuple[str, str]:
    made = await stage.korad.make_key(
        "nearly-spent",
        *("--budget-usd", f"{limit / NANO_PER_USD:.9f}", "--on-limits-unavailable", policy),
    )
    await asyncio.sleep(KEY_KNOWN_S)
    return made


async def _storm(load: Load, at_once: int, kills_over: asyncio.Event) -> None:
    """Go on asking until the budget refuses everybody, though no killed worker holds any of it."""

    async def client() -> None:
        refused = 0
        while refused < REFUSALS:
            call = await load.ask(load.next_call())
            is_over = call.status == _OVER_BUDGET and kills_over.is_set()
            refused = refused + 1 if is_over else 0
            await asyncio.sleep(0.01)

    await asyncio.gather(*(client() for _ in range(at_once)))
    await load.stop()


async def _settled(stage: Scene, load: Load, key_id: str, limit: int) -> int:
    """Compare all accounts; return what the key has spent, in nano-USD."""
    accounts = await stage.settle(drain_max_s=10)
    spent = sum(e.data.billed_nano_usd for e in accounts.events if e.data.key_id == key_id)
    told = Counter(f"{c.status} {c.error_code or c.error or ''}" for c in load.calls)
    stage.checks.tell(f"spent {spent:,} of {limit:,} nano-USD; {dict(told.most_common(6))}")
    return spent


async def _check_rest(stage: Scene, checks: Checks, key: str, left: int) -> None:
    """Demand that the rest of the budget can still be spent, and that more is refused."""
    small = Call("after-the-storm", key, stream=False, tokens=2, prompt="x", max_tokens=4)
    stage.calls.append(small)
    await stage.load(keys=[key]).ask(small)
    checks.tell(f"{left:,} nano-USD left: {small.status} {small.error_code or ''}")
    if left > PROBE_NANO_USD:
        checks.equal("refused although the budget has room", int(not small.ok))
    elif left <= 0:
        checks.equal("answered although the budget is spent", int(small.ok))
