"""How a server of an address is reached and greeted, and asked a thing on a connection of its own.

A new connection speaks RESP2 until told otherwise, so no HELLO is sent: proxies that do not know
it keep working.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from hiredis import ReplyError

from korad.adapters.redis_errors import PipelineError
from korad.adapters.redis_tls import tls_context
from korad.adapters.redis_url import RedisAddress, RedisKind
from korad.adapters.redis_wire import Counters, RedisWire
from korad.domain.secret import Secret

CONNECT_ERRORS = (OSError, TimeoutError, PipelineError, ReplyError)
"""What may come of a connection that is being made."""
SENTINEL_TIMEOUT_S = 0.5
"""A sentinel that is gone must not use up the time in which the others could answer."""


def describe(error: Exception) -> str:
    """Return what came of a connection, for people."""
    if isinstance(error, CONNECT_ERRORS):
        return str(error) or "it did not answer in time"
    return f"it answers like no Redis ({type(error).__name__}: {error})"


class Target(NamedTuple):
    """One server: a host and port, or the path of a unix socket."""

    host: str
    port: int
    path: str | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


class NoMasterError(PipelineError):
    """No sentinel named a master, or what they named is none."""


class Dial:
    """Make greeted connections. Raises ValueError for TLS files that cannot be read."""

    def __init__(self, address: RedisAddress, *, stall_s: float) -> None:
        self._address = address
        self._tls = None if address.tls is None else tls_context(address.tls)
        self._stall_s = stall_s
        self._sentinels = list(address.hosts)
        self.may_move = address.kind is RedisKind.SENTINEL
        """Whether the server to connect to may become another while the connection stands."""

    async def find(self) -> Target:
        """Return the server to connect to now. Raises what `describe` takes."""
        address = self._address
        if address.kind is RedisKind.SENTINEL:
            return await self._ask_sentinels()
        if address.kind is RedisKind.UNIX:
            return Target("", 0, address.path)
        return Target(*address.hosts[0])

    async def connect(
        self, target: Target, counters: Counters, on_lost: Callable[[str], None]
    ) -> RedisWire:
        """Return a connection that is let in and whose server has its data.

        Raises what `describe` takes.
        """
        address = self._address
        wire = await self._open(target, counters, on_lost)
        try:
            await _log_in(wire, address.user, address.password)
            if address.db:
                await wire.ask(b"SELECT", b"%d" % address.db)
            if address.kind is RedisKind.SENTINEL:
                await _check_master(wire, target)
            # Refused while the server still reads its data, or cannot write to its disk.
            await _ask_if_allowed(wire, b"PING")
        except BaseException:
            wire.end("the greeting failed")
            raise
        return wire

    async def ask(self, target: Target, *parts: bytes, as_sentinel: bool = False) -> Any:
        """Return the reply of a server to one command. Raises what `describe` takes."""
        address = self._address
        wire = await self._open(target, Counters(), lambda _reason: None)
        try:
            if as_sentinel:
                await _log_in(wire, address.sentinel_user, address.sentinel_password)
            else:
                await _log_in(wire, address.user, address.password)
            return await wire.ask(*parts)
        finally:
            wire.end("done")

    async def _open(
        self, target: Target, counters: Counters, on_lost: Callable[[str], None]
    ) -> RedisWire:
        loop = asyncio.get_running_loop()

        def make() -> RedisWire:
            return RedisWire(counters, on_lost, self._stall_s)

        if target.path is not None:
            _, wire = await loop.create_unix_connection(make, target.path)
        else:
            _, wire = await loop.create_connection(make, target.host, target.port, ssl=self._tls)
        return wire

    async def _ask_sentinels(self) -> Target:
        """Return the master that the first sentinel to answer names; that one is asked first."""
        failures = []
        for sentinel in tuple(self._sentinels):
            try:
                found = await self._ask_sentinel(sentinel)
            except CONNECT_ERRORS as error:
                failures.append(f"{Target(*sentinel)}: {describe(error)}")
                continue
            if found is None:
                failures.append(f"{Target(*sentinel)}: knows no such service")
                continue
            self._ask_first(sentinel)
            return found
        raise NoMasterError(f"no sentinel names a master ({'; '.join(failures)})")

    async def has_moved(self, target: Target) -> bool:
        """Return whether most sentinels name one other server than `target` the master.

        A master that was frozen or cut off goes on as one for seconds after another was promoted,
        and what it takes then is lost.
        """
        votes: defaultdict[Target, list[tuple[str, int]]] = defaultdict(list)
        for sentinel in tuple(self._sentinels):
            with contextlib.suppress(*CONNECT_ERRORS):
                found = await self._ask_sentinel(sentinel)
                if found is not None:
                    votes[found].append(sentinel)
        for named, sentinels in votes.items():
            if named != target and len(sentinels) > len(self._sentinels) // 2:
                self._ask_first(sentinels[0])
                return True
        return False

    async def _ask_sentinel(self, sentinel: tuple[str, int]) -> Target | None:
        service = (self._address.service or "").encode()
        command = (b"SENTINEL", b"get-master-addr-by-name", service)
        async with asyncio.timeout(SENTINEL_TIMEOUT_S):
            found = await self.ask(Target(*sentinel), *command, as_sentinel=True)
        return None if found is None else Target(found[0].decode(), int(found[1]))

    def _ask_first(self, sentinel: tuple[str, int]) -> None:
        self._sentinels.remove(sentinel)
        self._sentinels.insert(0, sentinel)


async def _check_master(wire: RedisWire, target: Target) -> None:
    """Raise NoMasterError for what the sentinels still take for the master."""
    role = await _ask_if_allowed(wire, b"ROLE")
    if role is not None and role[0] != b"master":
        raise NoMasterError(f"{target} is not the master yet")


async def _ask_if_allowed(wire: RedisWire, command: bytes) -> Any:
    """Return the reply, or None if the user may not use this command: scripts may be enough."""
    try:
        return await wire.ask(command)
    except ReplyError as error:
        if str(error).startswith("NOPERM"):
            return None
        raise


async def _log_in(wire: RedisWire, user: str | None, password: Secret | None) -> None:
    if password is not None:
        name = () if user is None else (user.encode(),)
        await wire.ask(b"AUTH", *name, password.reveal().encode())
