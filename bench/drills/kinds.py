"""Keys of every kind, and a stage on which all of them are used while Redis fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bench.drills.budget_storm import NANO_PER_USD, SLICE_NANO_USD
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Load, Mix
from bench.drills.redis_faults import why
from bench.drills.redis_groups import Cluster, Sentinels
from bench.drills.scene import Order, Scene, scene
from korad.domain.event import Event

QUICK = Mix(tokens=(2, 20), prompt_words=(3, 10, 40))
KEY_KNOWN_S = 1.5
"""By then every worker has looked for new keys."""
TAIL = """
[redis]
url = "{url}"
shards = {shards}
[ledger]
run = "on"
[limits]
deadline_ms = 1000
"""
OPEN = ("--budget-usd", "100", "--rpm", "1000000")
CLOSED = ("--on-limits-unavailable", "closed")
KINDS = {"plain": (), "open": OPEN, "closed": (*OPEN, *CLOSED)}
CAPS_NANO_USD = (200_000, 500_000, 800_000)
"""Budgets that end within a short drill."""
FULL = 5
"""How much larger they are for a full one."""


class Kinds:
    """Keys by what becomes of them without Redis, and what their calls came to."""

    def __init__(self) -> None:
        self._kind_of: dict[str, str] = {}
        self._caps: dict[str, int] = {}
        """Budget of each key that has a small one."""

    async def make(self, stage: Scene, each: int) -> list[str]:
        """Make `each` keys of each kind, and wait until they are known."""
        caps = [cap if stage.order.short else FULL * cap for cap in CAPS_NANO_USD]
        wanted = [(kind, KINDS[kind], 0) for kind in KINDS for _ in range(each)]
        wanted += [("capped", (*budget_of(cap), *CLOSED), cap) for cap in caps]
        made = await asyncio.gather(
            *(
                stage.korad.make_key(f"{kind}-{at}", *options)
                for at, (kind, options, _) in enumerate(wanted)
            )
        )
        for (key_id, secret), (kind, _, cap) in zip(made, wanted, strict=True):
            self._kind_of[secret] = kind
            if cap:
                self._caps[key_id] = cap
        await asyncio.sleep(KEY_KNOWN_S)
        return list(self._kind_of)

    def of(self, calls: Iterable[Call], *kinds: str) -> list[Call]:
        """Return the calls of these kinds of keys that have ended."""
        return [call for call in calls if call.ended_s and self._kind_of.get(call.key) in kinds]

    def tell(self, checks: Checks, calls: list[Call], since_s: float) -> None:
        """Say how many calls of each kind failed in which second."""
        for kind in KINDS:
            of_kind = self.of(calls, kind)
            failed = Counter(int(call.ended_s - since_s) for call in of_kind if not call.ok)
            seconds = ", ".join(f"{at} s: {count}" for at, count in sorted(failed.items()))
            checks.tell(f"{kind}: {len(of_kind)} calls, failed by second: {seconds or 'none'}")

    def check(self, checks: Checks, calls: list[Call], refused_s_max: float) -> None:
        """Demand that only keys that fail closed were refused, and those for so long at most."""
        lenient = self.of(calls, "plain", "open")
        checks.equal(
            "failed requests of keys that fail open or have no limit",
            sum(not call.ok for call in lenient),
            note=why(lenient),
        )
        strict = [call for call in self.of(calls, "closed") if not call.ok]
        wrong = [call for call in strict if call.error_code != "limits_unavailable"]
        checks.equal("keys that fail closed: other failures", len(wrong), note=why(wrong))
        seconds = len({int(call.ended_s) for call in strict})
        checks.in_time("keys that fail closed: seconds with a refusal", seconds, refused_s_max)

    def check_caps(self, checks: Checks, events: Iterable[Event]) -> None:
        """Demand that no small budget was exceeded by more than a slice."""
        spent = dict.fromkeys(self._caps, 0)
        for event in events:
            if event.data.key_id in spent:
                spent[event.data.key_id] += event.data.billed_nano_usd
        over = {key: spent[key] - cap for key, cap in self._caps.items()}
        checks.tell(f"spent of small budgets: {spent} of {self._caps}")
        checks.at_most("spent beyond a budget, nano-USD, most", max(over.values()), SLICE_NANO_USD)


def budget_of(nano_usd: int) -> tuple[str, str]:
    """Return the options of a budget."""
    return "--budget-usd", f"{nano_usd / NANO_PER_USD:.9f}"


@asynccontextmanager
async def staged(
    order: Order, checks: Checks, servers: Sentinels | Cluster, *, shards: int, each: int
) -> AsyncIterator[tuple[Scene, Load, Kinds]]:
    """Start the servers, a korad on them, and a load with `each` keys of every kind."""
    try:
        await asyncio.to_thread(servers.start)
        tail = TAIL.format(url=servers.url, shards=shards)
        async with scene(order, checks, tail=tail, keys=0) as stage:
            kinds = Kinds()
            keys = await kinds.make(stage, each)
            load = stage.load(rate=order.rate_of(60, 200), mix=QUICK, keys=keys)
            load.start()
            yield stage, load, kinds
    finally:
        await asyncio.to_thread(servers.stop)
