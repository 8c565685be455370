"""Drill: two machines, each with a state folder of its own, on one Redis."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bench.drills.books import (
    Accounts,
    check_redis,
    check_stream,
    decode,
    journal_payloads,
    ledger_payloads,
)
from bench.drills.budget_storm import SLICE_NANO_USD
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.kinds import CLOSED, QUICK, budget_of
from bench.drills.load import Load, Mix
from bench.drills.provider import StandIn
from bench.drills.redis_faults import BACKLOG_S, why
from bench.drills.redis_server import RedisServer
from bench.drills.scene import DRAIN_TIMEOUT_S, Order, Scene
from bench.drills.server import Korad
from bench.ports import free_port
from korad.domain.event import Event

KNOWN_S_MAX = 1.0
"""How long a change of keys may take to reach the other machine."""
PROBE_S = 0.02
TRIES_MAX = 250
NEVER_S = 60.0
"""What is told of a change that never came."""
FORBIDDEN = 403
PROBES = Mix(streams=0, tokens=(1, 2), prompt_words=(3,), latency_ms=(0,))
SPENDING = Mix(streams=0.8, leaves=0.2, tokens=(20, 400), prompt_words=(3, 10), interval_ms=(0, 1))
_TAIL = """
[redis]
url = "redis://127.0.0.1:{port}"
[ledger]
run = "{books}"
[keys]
store = "redis"
pepper = "env:DRILL_PEPPER"
[limits]
deadline_ms = 2000
"""


async def two_machines(order: Order, checks: Checks) -> None:
    """Make, revoke and spend keys on one machine and on the other at once."""
    async with _two(order, checks) as (stages, redis):
        here, there = stages
        keys = [(await here.korad.make_key(f"steady-{at}"))[1] for at in range(2)]
        made_s, revoked_s = await _known_and_forgotten(order, here, there)
        checks.in_time("a key of the other machine works after, seconds", made_s, KNOWN_S_MAX)
        checks.in_time("a revoked key works on for, seconds", revoked_s, KNOWN_S_MAX)
        limit = 1_000_000 if order.short else 10_000_000
        key_id, key = await here.korad.make_key("shared", *budget_of(limit), *CLOSED)
        await asyncio.sleep(2 * KNOWN_S_MAX)
        steady = [
            each.load(rate=order.rate_of(20, 60), mix=QUICK, keys=keys, name=f"steady{at}-")
            for at, each in enumerate(stages)
        ]
        storms = [
            each.load(mix=SPENDING, keys=[key], name=f"storm{at}-")
            for at, each in enumerate(stages)
        ]
        for load in steady:
            load.start()
        at_once = 20 if order.short else 100
        await asyncio.gather(*(_spend(load, at_once) for load in storms))
        for load in steady:
            await load.stop()
        calls = [call for each in stages for call in each.calls if call.key in keys]
        failed = sum(not call.ok for call in calls)
        checks.equal("failed requests of keys without a limit", failed, note=why(calls))
        events = await _settle(checks, stages, redis)
        spent = sum(e.data.billed_nano_usd for e in events if e.data.key_id == key_id)
        checks.at_most("spent beyond the shared budget, nano-USD", spent - limit, SLICE_NANO_USD)
        checks.at_least("spent, per cent of the budget", 100 * spent / limit, 50)


@asynccontextmanager
async def _two(order: Order, checks: Checks) -> AsyncIterator[tuple[list[Scene], RedisServer]]:
    redis = RedisServer(order.folder / "redis-data", free_port())
    redis.start()
    provider = await StandIn.start(order.folder, seed=order.seed)
    environ = {"DRILL_PEPPER": secrets.token_hex(32)}
    stages: list[Scene] = []
    try:
        for name, books in (("here", "on"), ("there", "off")):
            folder = order.folder / name
            folder.mkdir()
            tail = _TAIL.format(port=redis.port, books=books)
            korad = Korad(folder, provider.port, tail=tail, environ=environ)
            stages.append(Scene(order=order, checks=checks, provider=provider, korad=korad))
            await korad.start()
        yield stages, redis
    finally:
        for stage in stages:
            await stage.korad.end()
        await provider.stop()
        redis.stop()


async def _known_and_forgotten(order: Order, here: Scene, there: Scene) -> tuple[float, float]:
    """Return the longest that a new key was unknown, and a revoked one known, elsewhere."""
    made_s, revoked_s = [], []
    loop = asyncio.get_running_loop()
    for at in range(order.count(3, 20)):
        one, other = (here, there) if at % 2 else (there, here)
        name = f"passing-{at}"
        _, key = await one.korad.make_key(name)
        made = loop.time()
        load = other.load(name=f"probe{at}-", mix=PROBES, keys=[key])
        made_s.append(await _until(load, lambda call: call.ok, made))
        code, _, told = await one.korad.verb("keys", "revoke", name)
        assert code == 0, told
        gone = loop.time()
        revoked_s.append(await _until(load, lambda call: call.status == FORBIDDEN, gone))
        await load.stop()
    return max(made_s), max(revoked_s)


async def _until(load: Load, holds: Callable[[Call], bool], since_s: float) -> float:
    loop = asyncio.get_running_loop()
    for _ in range(TRIES_MAX):
        if holds(await load.ask(load.next_call())):
            return loop.time() - since_s
        await asyncio.sleep(PROBE_S)
    return NEVER_S


async def _spend(load: Load, at_once: int) -> None:
    """Go on asking until the budget refuses everybody."""

    async def client() -> None:
        refused = 0
        while refused < 3:  # noqa: PLR2004 - in a row: then a client gives up
            call = await load.ask(load.next_call())
            refused = refused + 1 if call.error_code == "budget_exceeded" else 0
            await asyncio.sleep(0.01)

    await asyncio.gather(*(client() for _ in range(at_once)))
    await load.stop()


async def _settle(checks: Checks, stages: list[Scene], redis: RedisServer) -> list[Event]:
    """Wait until the one ledger has the events of both, and compare all accounts."""
    for stage in stages:
        await stage.until_quiet()
    states = [stage.korad.state for stage in stages]
    journals = [payload for state in states for payload in journal_payloads(state)]
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while loop.time() < began_s + DRAIN_TIMEOUT_S:
        if len(ledger_payloads(states[0])) >= len(journals):
            break
        await asyncio.sleep(0.1)
    checks.in_time("seconds until the ledger has all", loop.time() - began_s, BACKLOG_S)
    events, booked = decode(journals), ledger_payloads(states[0])
    calls = [call for stage in stages for call in stage.calls]
    Accounts(provider=await stages[0].provider.ledger(), calls=calls, events=events).check(checks)
    checks.equal("events of the journals not in the ledger", len(set(journals) - set(booked)))
    checks.equal("events in the ledger alone", len(set(booked) - set(journals)))
    checks.equal("events twice in the ledger", len(booked) - len(set(booked)))
    client = redis.client()
    try:
        check_redis(checks, client, events, 1)
        check_stream(checks, client, journals, 1, emptied=False)
    finally:
        client.close()
    for stage in stages:
        checks.equal("tracebacks in korad's log", stage.korad.log().count("Traceback"))
    code, out, err = await stages[0].korad.verb("audit")
    checks.equal("korad audit: exit code", code, note=(out + err).decode()[-400:])
    return events
