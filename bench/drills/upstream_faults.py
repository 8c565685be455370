"""Drill 7: the provider misbehaves in every way the stand-in knows."""

from __future__ import annotations

from collections import defaultdict

from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Mix
from bench.drills.scene import Order, scene
from korad.domain.event import Event, EventStatus
from korad.simulator import Fault

OK, ERROR = EventStatus.OK, EventStatus.UPSTREAM_ERROR
HARMLESS = {
    Fault.NO_USAGE,
    Fault.SLOW_HEAD,
    Fault.REFUSE_KEEPALIVE,
    Fault.STALE_KEEPALIVE,
}
STALL_S = 1
TIMEOUTS = f"""
first_byte_timeout_s = {STALL_S}
idle_timeout_s = {STALL_S}
"""
MIX = Mix(latency_ms=(0,), interval_ms=(0, 1), prompt_words=(3, 10))


async def upstream_faults(order: Order, checks: Checks) -> None:
    """Commit every fault, streaming and not, several times, and read the status of each event."""
    async with scene(order, checks, workers=2, openai=TIMEOUTS) as stage:
        load = stage.load(mix=MIX)
        plan = [
            (fault, stream, number)
            for fault in Fault
            for stream in (True, False)
            for number in range(order.count(2, 10))
        ]
        wanted = iter(plan)
        by_client: dict[str, tuple[Fault, bool]] = {}

        def adjust(call: Call) -> None:
            fault, call.stream, number = next(wanted)
            call.tokens = max(call.tokens, 8)
            call.directives = f"fault={fault.value} after={number % 6}"
            by_client[call.client_id] = (fault, call.stream)

        await load.many(len(plan), at_once=20, adjust=adjust)
        await load.stop()
        checks.equal("calls that never ended", sum(c.error == "timeout" for c in stage.calls))
        accounts = await stage.settle(drain_max_s=10)
        _check_statuses(checks, accounts.events, by_client)


def _check_statuses(
    checks: Checks, events: list[Event], by_client: dict[str, tuple[Fault, bool]]
) -> None:
    wrong: dict[str, list[str]] = defaultdict(list)
    told = set()
    for event in events:
        fault, stream = by_client[event.data.client_request_id or ""]
        told.add(event.data.client_request_id)
        expected = {OK} if fault in HARMLESS else {ERROR}
        if fault is Fault.WRONG_CONTENT_LENGTH and stream:
            # `[DONE]` came, and only HTTP's length is a lie.
            expected = {OK, ERROR}
        if event.data.status not in expected:
            name = f"{fault.value} {'stream' if stream else 'whole'}"
            wrong[name].append(event.data.status.value)
    checks.equal("calls without an event", len(by_client.keys() - told))
    checks.equal(
        "faults told under the wrong status",
        len(wrong),
        note="; ".join(f"{name}: {sorted(set(each))}" for name, each in wrong.items()),
    )
