"""Drill 10: the wall clock jumps, hours and a month, forwards and back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.drills.checks import Checks, SkippedError
from bench.drills.load import Mix
from bench.drills.redis_faults import own_redis
from bench.drills.scene import Order

FOLDERS = (Path("/usr/lib/x86_64-linux-gnu/faketime"), Path("/usr/lib/aarch64-linux-gnu/faketime"))
HOUR_S, DAY_S = 3_600, 86_400
JUMPS_S = (HOUR_S, 0, -HOUR_S, 0, -30 * DAY_S, 0, HOUR_S, -HOUR_S)
MIX = Mix(leaves=0.05, prompt_words=(3, 10))


async def clock_jumps(order: Order, checks: Checks) -> None:
    """Let the wall clock jump under load; the monotonic clock goes on."""
    library = next((f / "libfaketimeMT.so.1" for f in FOLDERS if f.exists()), None)
    if library is None:
        raise SkippedError("libfaketime is not installed")
    stamp = order.folder / "now"
    stamp.write_text("+0s\n")
    environ = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }
    # Redis itself does not start under libfaketime; only korad's clock jumps.
    async with own_redis(order, checks, environ=environ) as (stage, redis, _):
        load = stage.load(rate=order.rate_of(40, 80), mix=MIX)
        load.start()
        rounds = order.count(1, 5)
        for jump_s in JUMPS_S * rounds:
            await asyncio.sleep(order.time_s(1, 3))
            draft = stamp.with_suffix(".draft")
            draft.write_text(f"{jump_s:+d}s\n")
            draft.rename(stamp)
        await asyncio.sleep(1)
        await load.stop()
        stayed = [call for call in stage.calls if call.left_s is None]
        checks.equal("failed requests", sum(not call.ok for call in stayed))
        accounts = await stage.settle(
            redis=redis.client(),
            drain_max_s=15,
            tracebacks=True,  # libfaketime lets a sleep fail with EINVAL when the clock jumps
        )
        events = accounts.events
        checks.at_least("days named by the events", len({each.time[:10] for each in events}), 2)
        checks.equal("negative durations", sum(each.data.duration_ms < 0 for each in events))
        first = [each.data.ttft_ms for each in events if each.data.ttft_ms is not None]
        checks.equal("negative times to the first byte", sum(each < 0 for each in first))
        longest = max(each.data.duration_ms for each in events)
        checks.at_most("longest duration, ms", longest, 60_000)
