"""Load by a seed: calls of mixed keys and sizes, streaming and not, at a rate of their own.

The rate is open-loop: a slow korad is not asked less often. What is under way is bounded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.drills.client import Call, Connection

WORDS = ("invoice", "river", "seven", "colour", "please", "table", "winter", "engine", "because")
UNDER_WAY_MAX = 600


@dataclass(frozen=True, slots=True)
class Mix:
    """What the calls are like; shares are from 0 to 1."""

    streams: float = 0.7
    leaves: float = 0.0
    tokens: tuple[int, int] = (2, 60)
    prompt_words: tuple[int, ...] = (3, 10, 40, 400, 2_500)
    interval_ms: tuple[int, ...] = (0, 0, 2, 5)
    """Between two events of a stream."""
    latency_ms: tuple[int, ...] = (0, 0, 5, 20)
    """Before the head."""
    directives: str = ""
    """Further words for the stand-in provider."""


class Load:
    """Calls made so far, and a task that makes more."""

    def __init__(
        self, port: int, keys: Sequence[str], *, seed: int, rate: float, mix: Mix, name: str = "d"
    ) -> None:
        self.calls: list[Call] = []
        self._port = port
        self._keys = keys
        self._chance = random.Random(seed)
        self._rate = rate
        self._mix = mix
        self._name = name
        self._idle: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._maker: asyncio.Task[None] | None = None
        self.shed = 0
        """Calls not made because too many were under way."""

    def start(self) -> None:
        """Make calls until `stop`."""
        self._maker = asyncio.create_task(self._make())

    async def stop(self) -> None:
        """Make no more, and wait for the end of those under way."""
        if self._maker is not None:
            self._maker.cancel()
            await asyncio.gather(self._maker, return_exceptions=True)
            self._maker = None
        while self._tasks:
            await asyncio.wait(self._tasks)
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    async def run(self, seconds: float) -> None:
        """Make calls for that long."""
        self.start()
        await asyncio.sleep(seconds)
        await self.stop()

    def next_call(self) -> Call:
        """Return a call as the mix and the seed have it; it is among `calls` from now on."""
        chance, mix = self._chance, self._mix
        interval, latency = chance.choice(mix.interval_ms), chance.choice(mix.latency_ms)
        call = Call(
            client_id=f"{self._name}-{len(self.calls)}",
            key=chance.choice(self._keys),
            stream=chance.random() < mix.streams,
            tokens=chance.randint(*mix.tokens),
            prompt=" ".join(chance.choices(WORDS, k=chance.choice(mix.prompt_words))),
            directives=f"interval_ms={interval} latency_ms={latency} {mix.directives}",
        )
        if chance.random() < mix.leaves:
            call.leave_by_reset = chance.random() < 0.5  # noqa: PLR2004 - a coin
            if chance.random() < 0.3:  # noqa: PLR2004 - before the head, most of the time
                call.leave_after_s = chance.uniform(0, 0.03)
            else:
                call.leave_after_bytes = chance.randint(1, 300 * call.tokens)
        self.calls.append(call)
        return call

    async def ask(self, call: Call) -> Call:
        """Make a call on an idle connection or a new one."""
        connection = await self._connection(call)
        if connection is not None:
            await connection.ask(call)
            if connection.reusable:
                self._idle.append(connection)
            else:
                connection.abort()
        return call

    async def ask_anew(self, call: Call) -> Call:
        """Make a call on a connection of its own."""
        try:
            connection = await Connection.open(self._port)
        except OSError as error:
            call.error = f"no connection: {type(error).__name__}"
            return call
        try:
            await connection.ask(call)
        finally:
            connection.abort()
        return call

    async def many(self, count: int, *, at_once: int, adjust: Callable[[Call], None]) -> None:
        """Make `count` calls, at most `at_once` under way; `adjust` changes each beforehand."""
        gate = asyncio.Semaphore(at_once)

        async def one() -> None:
            call = self.next_call()
            adjust(call)
            try:
                await self.ask(call)
            finally:
                gate.release()

        tasks: set[asyncio.Task[None]] = set()
        for _ in range(count):
            await gate.acquire()
            task = asyncio.create_task(one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)

    async def _connection(self, call: Call) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        try:
            return await Connection.open(self._port)
        except OSError as error:
            call.error = f"no connection: {type(error).__name__}"
            return None

    async def _make(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s += self._chance.expovariate(self._rate)
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
            if len(self._tasks) >= UNDER_WAY_MAX:
                self.shed += 1
                continue
            task = asyncio.create_task(self._ask(self.next_call()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, call: Call) -> None:
        await self.ask(call)
