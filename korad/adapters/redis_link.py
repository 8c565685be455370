"""A connection that comes back: it dials until it stands, and again when it was lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from korad.adapters.redis_dial import Dial, Target, describe
from korad.adapters.redis_errors import (
    ConnectionLostError,
    NotConnectedError,
    PipelineError,
    QueueFullError,
)
from korad.adapters.redis_wire import Counters, RedisWire, Then
from korad.clock import monotonic_ns
from korad.domain.value import value

PAUSE_S_LEAST = 0.05
PAUSE_S_MOST = 1.0
_STEADY_NS = 1_000_000_000
"""A connection that stood so long was a good one: the pauses begin anew."""
_DOUBLINGS_MAX = 10
LOOK_S = 2.0
"""How often sentinels are asked whether the master is another by now."""
_chance = random.Random()  # noqa: S311 - spreads load, keeps no secret


@value
class PipelineLimits:
    """What a pipeline may wait for and hold."""

    pending_max: int = 10_000
    """Commands without a reply per connection."""
    connect_timeout_s: float = 2.0
    """From the dial to the end of the greeting."""
    stall_s: float = 3.0
    """Silence after which a server that owes replies is given up."""


def pause_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row, with half of it left to chance."""
    most = min(PAUSE_S_MOST, PAUSE_S_LEAST * (1 << min(failures, _DOUBLINGS_MAX)))
    return most * _chance.uniform(0.5, 1.0)


class Link:
    """The way to one server. `find` tells, at each dial, which one."""

    def __init__(
        self,
        dial: Dial,
        find: Callable[[], Awaitable[Target]],
        limits: PipelineLimits,
        counters: Counters,
    ) -> None:
        self._dial = dial
        self._find = find
        self._limits = limits
        self._pending_max = limits.pending_max
        self._counters = counters
        self._wire: RedisWire | None = None
        self._scripts: set[bytes] = set()
        """Those whose text was sent on this connection."""
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = "not connected yet"
        """Why there is no connection now, for people."""

    @property
    def connected(self) -> bool:
        """Whether a command would be sent now."""
        return self._wire is not None

    def start(self) -> None:
        """Begin to dial."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Hang up; commands that wait hear ConnectionLostError."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._wire is not None:
            self._wire.end("korad closed it")

    def execute(self, parts: Sequence[bytes], then: Then, deadline_s: float | None) -> None:
        """Send a command; `then` hears of it later, never before this returns."""
        wire = self._wire
        if wire is None:
            self._refuse(then, NotConnectedError(f"no connection to Redis: {self.trouble}"))
        elif wire.pending >= self._pending_max:
            self._refuse(then, QueueFullError("too many commands wait for Redis"))
        else:
            self._counters.commands += 1
            wire.push(parts, then, deadline_s)

    def is_first(self, sha: bytes) -> bool:
        """Return whether a script goes over this connection for the first time; it does then."""
        if self._wire is None or sha in self._scripts:
            return False
        self._scripts.add(sha)
        return True

    def _refuse(self, then: Then, error: PipelineError) -> None:
        self._counters.refused += 1
        asyncio.get_running_loop().call_soon(then, error)

    async def wait_connected(self) -> None:
        """Return once a connection stands."""
        while self._wire is None:
            self._change.clear()
            await self._change.wait()

    async def _run(self) -> None:
        failures = 0
        was_connected = False
        while True:
            try:
                async with asyncio.timeout(self._limits.connect_timeout_s):
                    target = await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever answers there, it dials again
                self.trouble = describe(error)
            else:
                self._counters.reconnects += was_connected
                was_connected = True
                began_ns = monotonic_ns()
                await self._wait_lost(target)
                if monotonic_ns() - began_ns > _STEADY_NS:
                    failures = 0
            await asyncio.sleep(pause_s(failures))
            failures += 1

    async def _connect(self) -> Target:
        target = await self._find()
        wire = await self._dial.connect(target, self._counters, self._lost)
        if wire.ended:
            raise ConnectionLostError("the server closed the connection at once")
        self._wire = wire
        self._scripts.clear()
        self.trouble = None
        self._change.set()
        return target

    async def _wait_lost(self, target: Target) -> None:
        while (wire := self._wire) is not None:
            self._change.clear()
            try:
                async with asyncio.timeout(LOOK_S if self._dial.may_move else None):
                    await self._change.wait()
            except TimeoutError:
                if await self._dial.has_moved(target):
                    wire.end("the sentinels name another master")

    def _lost(self, reason: str) -> None:
        self._wire = None
        self.trouble = reason
        self._change.set()
