"""The nodes of a Redis cluster: which has a key, one link to each, and their redirections."""

from __future__ import annotations

import asyncio
import contextlib
from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any

from hiredis import ReplyError

from korad.adapters.redis_dial import Dial, Target, describe
from korad.adapters.redis_errors import NotConnectedError
from korad.adapters.redis_link import Link, PipelineLimits, pause_s
from korad.adapters.redis_url import REDIS_PORT
from korad.adapters.redis_wire import NS_PER_S, Counters, Then
from korad.clock import monotonic_ns

SLOTS = 16_384
REDIRECTIONS_MAX = 3
REFRESH_EVERY_S = 1.0
"""While a link is down its node's slots may move without a word: the map is asked for again."""
TRY_AGAIN_S = 0.01
TRY_AGAIN_FOR_S = 1.0
"""How long a command without a deadline waits for a slot that is on its way to another node."""
_DEADLINE_S_LEAST = 0.001


def key_slot(key: bytes) -> int:
    """Return the slot of `key`: of what stands in its first braces, if anything does."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % SLOTS


def read_slots(reply: Any, asked: Target) -> dict[Target, list[tuple[int, int]]]:
    """Return the slot ranges of each master, from a reply to CLUSTER SLOTS."""
    found: dict[Target, list[tuple[int, int]]] = {}
    for first, last, master, *_ in reply:
        # A node that does not know its own name sends none: it is the one that was asked.
        host = (master[0] or b"").decode()
        target = Target(host if host not in {"", "?"} else asked.host, master[1])
        found.setdefault(target, []).append((first, last))
    return found


def read_redirection(error: str) -> Target:
    """Return where `MOVED 3999 127.0.0.1:6381` or `ASK ...` points to; the host may be empty."""
    host, _, port = error.split(" ")[2].rpartition(":")
    return Target(host, int(port) if port.isdigit() else REDIS_PORT)


class ClusterLinks:
    """One link per master; a command goes where its key's slot is."""

    def __init__(
        self,
        dial: Dial,
        seeds: Sequence[tuple[str, int]],
        limits: PipelineLimits,
        counters: Counters,
    ) -> None:
        self._dial = dial
        self._seeds = [Target(*seed) for seed in seeds]
        self._limits = limits
        self._counters = counters
        self._links: dict[Target, Link] = {}
        self._slots: list[Target | None] = [None] * SLOTS
        self._stale = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = "not connected yet"

    @property
    def connected(self) -> bool:
        """Whether any node can be reached now."""
        return any(link.connected for link in self._links.values())

    @property
    def trouble(self) -> str | None:
        """Why some node cannot be reached now, for people."""
        down = (link.trouble for link in self._links.values() if link.trouble is not None)
        return self._trouble or next(down, None)

    def start(self) -> None:
        """Begin to learn the map and to dial its nodes."""
        self._task = asyncio.get_running_loop().create_task(self._keep_map())

    async def close(self) -> None:
        """Hang up everywhere."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        links, self._links = self._links, {}
        for link in links.values():
            await link.close()

    async def wait_connected(self) -> None:
        """Return once the map is known and all its nodes are connected."""
        # Nodes come and go: it looks from time to time. Only starts and tests wait here.
        while not self._all_connected():  # noqa: ASYNC110
            await asyncio.sleep(pause_s(0))

    def _all_connected(self) -> bool:
        links = self._links.values()
        return bool(links) and all(link.connected for link in links)

    def execute(
        self, parts: Sequence[bytes], then: Then, key: bytes | None, deadline_s: float | None
    ) -> None:
        """Send a command where `key` is; without one, to any node."""
        _Errand(self, parts, then, key, deadline_s).begin()

    def refuse(self, then: Then) -> None:
        """Tell that no node is known for a command's key."""
        self._counters.refused += 1
        error = NotConnectedError(f"no node of the Redis cluster has the key: {self.trouble}")
        asyncio.get_running_loop().call_soon(then, error)

    def link_of(self, key: bytes | None) -> Link | None:
        """Return the link to the node of `key`; without one, to any node."""
        if key is None:
            return next((link for link in self._links.values() if link.connected), None)
        target = self._slots[key_slot(key)]
        return None if target is None else self._links.get(target)

    def follow(self, error: str, answered_by: Link) -> Link:
        """Return the link that a MOVED or ASK points to, made if it is new."""
        target = read_redirection(error)
        if not target.host:
            asked = next((t for t, link in self._links.items() if link is answered_by), target)
            target = Target(asked.host, target.port)
        if error.startswith("MOVED"):
            self._slots[int(error.split(" ")[1])] = target
            self._stale.set()
        return self._link(target)

    def refresh(self) -> None:
        """Ask for the map again soon."""
        self._stale.set()

    def _link(self, target: Target) -> Link:
        link = self._links.get(target)
        if link is None:

            async def find() -> Target:
                return target

            link = self._links[target] = Link(self._dial, find, self._limits, self._counters)
            link.start()
        return link

    async def _keep_map(self) -> None:
        failures = 0
        while True:
            failures = 0 if await self._learn() else failures + 1
            await asyncio.sleep(pause_s(failures))
            if not failures:
                await self._wait_stale()
            self._stale.clear()

    async def _wait_stale(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), REFRESH_EVERY_S)
                return
            if not self._all_connected():
                return

    async def _learn(self) -> bool:
        """Take over the map of the first node to answer."""
        for target in (*self._links, *self._seeds):
            try:
                async with asyncio.timeout(self._limits.connect_timeout_s):
                    reply = await self._dial.ask(target, b"CLUSTER", b"SLOTS")
                ranges = read_slots(reply, target)
            except Exception as error:  # noqa: BLE001 - whatever answers there, the next is asked
                self._trouble = f"{target}: {describe(error)}"
                continue
            if not ranges:
                self._trouble = f"{target}: the cluster has no slots yet"
                continue
            await self._take(ranges)
            self._trouble = None
            return True
        return False

    async def _take(self, ranges: dict[Target, list[tuple[int, int]]]) -> None:
        slots: list[Target | None] = [None] * SLOTS
        for target, spans in ranges.items():
            self._link(target)
            for first, last in spans:
                slots[first : last + 1] = [target] * (last + 1 - first)
        self._slots = slots
        for target in set(self._links) - set(ranges):
            await self._links.pop(target).close()


class _Errand:
    """A command on its way through a cluster, redirected a few times at most.

    While some of its keys are at the old node and some at the new one no node runs it (TRYAGAIN).
    """

    def __init__(
        self,
        links: ClusterLinks,
        parts: Sequence[bytes],
        then: Then,
        key: bytes | None,
        deadline_s: float | None,
    ) -> None:
        self._links = links
        self._parts = parts
        self._then = then
        self._key = key
        self._has_deadline = deadline_s is not None
        wait_s = TRY_AGAIN_FOR_S if deadline_s is None else deadline_s
        self._end_ns = monotonic_ns() + int(wait_s * NS_PER_S)
        self._left = REDIRECTIONS_MAX
        self._link: Link | None = None

    def begin(self) -> None:
        """Send it where its key is, as far as known."""
        link = self._links.link_of(self._key)
        if link is None:
            self._links.refuse(self._then)
        else:
            self._send(link, self._left_s())

    def _send(self, link: Link, deadline_s: float | None) -> None:
        self._link = link
        link.execute(self._parts, self._take, deadline_s)

    def _left_s(self) -> float | None:
        if not self._has_deadline:
            return None
        return max((self._end_ns - monotonic_ns()) / NS_PER_S, _DEADLINE_S_LEAST)

    def _take(self, reply: object) -> None:
        error = str(reply) if isinstance(reply, ReplyError) else ""
        if error.startswith(("CLUSTERDOWN", "MASTERDOWN")):
            self._links.refresh()
        if error.startswith("TRYAGAIN") and monotonic_ns() < self._end_ns:
            self._left = REDIRECTIONS_MAX
            asyncio.get_running_loop().call_later(TRY_AGAIN_S, self.begin)
            return
        if self._link is None or not self._left or not error.startswith(("MOVED ", "ASK ")):
            self._then(reply)
            return
        self._left -= 1
        link, deadline_s = self._links.follow(error, self._link), self._left_s()
        if error.startswith("ASK "):
            # Holds for the next command of the connection, which is ours: both go out together.
            link.execute((b"ASKING",), lambda _reply: None, deadline_s)
        self._send(link, deadline_s)
