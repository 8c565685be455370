"""A drill's stage: a stand-in provider, a korad, keys, a load, and the accounts at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.drills.books import (
    Accounts,
    check_redis,
    check_stream,
    decode,
    journal_payloads,
    ledger_payloads,
)
from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Load, Mix
from bench.drills.provider import StandIn
from bench.drills.redis_server import RedisClient, embedded_id
from bench.drills.server import Korad

DRAIN_TIMEOUT_S = 30.0
KEYS = 3


@dataclass(frozen=True, slots=True)
class Order:
    """What the person asked for."""

    folder: Path
    """Of this drill alone."""
    seed: int
    short: bool
    seconds: float | None = None
    rounds: int | None = None
    rate: float | None = None

    def count(self, short: int, full: int) -> int:
        """Return how many rounds to do."""
        return self.rounds or (short if self.short else full)

    def size(self, short: int, full: int) -> int:
        """Return how large to make something that is not done in rounds."""
        return short if self.short else full

    def time_s(self, short: float, full: float) -> float:
        """Return how long to go on."""
        return self.seconds or (short if self.short else full)

    @property
    def slack(self) -> float:
        """By how much limits of time are wider: a short run shares its machine with other tests."""
        return 3.0 if self.short else 1.0

    def rate_of(self, short: float, full: float) -> float:
        """Return how many calls a second to make."""
        return self.rate or (short if self.short else full)


@dataclass(slots=True)
class Scene:
    """What runs."""

    order: Order
    checks: Checks
    provider: StandIn
    korad: Korad
    keys: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    loads: int = 0

    def load(
        self,
        *,
        rate: float = 0.0,
        mix: Mix | None = None,
        keys: list[str] | None = None,
        name: str = "",
    ) -> Load:
        """Return a load whose calls count in the accounts."""
        self.loads += 1
        load = Load(
            self.korad.port,
            keys or self.keys,
            seed=self.order.seed + self.loads,
            rate=rate,
            mix=mix or Mix(),
            name=name or f"load{self.loads}",
        )
        load.calls = self.calls
        return load

    async def until_quiet(self, timeout_s: float = 15.0) -> None:
        """Wait until no exchange is under way; demand that it comes true."""
        deadline = time.monotonic() + timeout_s
        while (open_slots := self.korad.open_slots()) and time.monotonic() < deadline:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.05)
        self.checks.equal("slots in use at rest", open_slots)

    def booked(self) -> list[bytes]:
        """Return what the ledger has."""
        return ledger_payloads(self.korad.state)

    async def until_booked(self, timeout_s: float) -> float:
        """Wait until all events written by now are in the ledger; return the seconds it took."""
        started, state = time.monotonic(), self.korad.state
        wanted = len(journal_payloads(state))
        while len(ledger_payloads(state)) < wanted:
            if time.monotonic() > started + timeout_s:
                break
            await asyncio.sleep(0.1)
        return time.monotonic() - started

    async def accounts(self) -> Accounts:
        """Return the accounts as the journals have them now."""
        return Accounts(
            provider=await self.provider.ledger(),
            calls=self.calls,
            events=decode(journal_payloads(self.korad.state)),
        )

    async def settle(
        self,
        *,
        redis: RedisClient | None = None,
        drain_max_s: float | None = None,
        shards: int = 1,
        emptied: bool = False,
        tracebacks: bool = False,
    ) -> Accounts:
        """Wait until everything written is in the ledger too, then compare all accounts."""
        await self.until_quiet()
        checks, state = self.checks, self.korad.state
        if redis is None and embedded_id(state) is None:
            checks.equal("the embedded Redis runs", 0, 1)
            accounts = await self.accounts()
            accounts.check(checks)
            return accounts
        drained_s = await self.until_booked(DRAIN_TIMEOUT_S)
        if drain_max_s is not None:
            checks.in_time("seconds until the ledger has all", drained_s, drain_max_s)
        accounts = await self.accounts()
        accounts.check(checks)
        in_journal, in_ledger = journal_payloads(state), ledger_payloads(state)
        checks.equal(
            "events of the journal not in the ledger", len(set(in_journal) - set(in_ledger))
        )
        checks.equal("events in the ledger alone", len(set(in_ledger) - set(in_journal)))
        checks.equal("events twice in the ledger", len(in_ledger) - len(set(in_ledger)))
        connection = redis or RedisClient(path=state / "redis" / "redis.sock")
        try:
            check_redis(checks, connection, accounts.events, shards)
            check_stream(checks, connection, in_journal, shards, emptied=emptied)
        finally:
            connection.close()
        if not tracebacks:
            checks.equal("tracebacks in korad's log", self.korad.log().count("Traceback"))
        await self._check_verbs(set(in_ledger))
        return accounts

    async def _check_verbs(self, in_ledger: set[bytes]) -> None:
        """Demand that export tells what the ledger has, and that audit finds no difference."""
        _, out, _ = await self.korad.verb("export", "--format", "jsonl")
        exported = set(out.splitlines())
        self.checks.equal("events exported otherwise than booked", len(exported ^ in_ledger))
        code, out, err = await self.korad.verb("audit")
        self.checks.equal("korad audit: exit code", code, note=(out + err).decode()[-400:])


@asynccontextmanager
async def scene(
    order: Order, checks: Checks, *, keys: int = KEYS, start: bool = True, **options: Any
) -> AsyncIterator[Scene]:
    """Set the stage, and leave nothing running; `options` are `Korad`'s."""
    provider = await StandIn.start(order.folder, seed=order.seed)
    korad = None
    try:
        korad = Korad(order.folder, provider.port, **options)
        stage = Scene(order=order, checks=checks, provider=provider, korad=korad)
        made = [korad.make_key(f"drill-{number}") for number in range(keys)]
        stage.keys += [secret for _, secret in await asyncio.gather(*made)]
        if start:
            await korad.start()
        yield stage
    finally:
        if korad is not None:
            with suppress(ProcessLookupError):
                await korad.end()
        await provider.stop()
