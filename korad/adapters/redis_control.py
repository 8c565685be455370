"""The Redis client of everything that is not a request: bookkeeper, consumer, CLI, admin.

redis-py, its retries off: it would send a command again whose reply was lost, and so bill twice.
Not for the request path: an awaited command costs 50 to 180 us; see `redis_pipeline.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, cast

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError as RedisConnectionError,
    NoPermissionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    TimeoutError as RedisTimeoutError,
)

from korad.adapters.redis_scripts import Script, load_script
from korad.adapters.redis_url import RedisAddress, RedisKind
from korad.clock import monotonic_ns

LOOK_NS = 2_000_000_000
"""How often sentinels are asked whether the master is another by now."""
TIMEOUT_S = 5.0
"""For a reply. A command that blocks must block for less."""
CONNECT_TIMEOUT_S = 3.0
HEALTH_CHECK_INTERVAL_S = 30.0

UNAVAILABLE = (
    RedisConnectionError,
    RedisTimeoutError,
    RedisClusterException,
    ClusterError,
    OSError,
)
"""What redis-py raises where there is no reply; a `pipeline()` of the client raises these.
`RedisUnavailableError`, which all else raises, is one of them."""


class RedisUnavailableError(RedisConnectionError):
    """There was no reply: the message says where and why. The command may have run."""


class RedisRefusedError(RedisUnavailableError):
    """Redis answers and lets nobody in with this user and password."""


class _Single(Redis):
    """A server, a unix socket or a sentinels' master."""

    where = "Redis"
    sentinels: Sentinel | None = None
    _looked_ns = 0
    _looking: asyncio.Task[None] | None = None
    _master: tuple[str, int] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Return the reply. Raises RedisUnavailableError, or ResponseError for Redis' own."""
        if self.sentinels is not None:
            self._look()
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except UNAVAILABLE as error:
            raise _told(error, self.where) from error

    def _look(self) -> None:
        """Ask the sentinels now and then, beside the commands, whether the master is another."""
        now_ns = monotonic_ns()
        if now_ns - self._looked_ns < LOOK_NS or (self._looking and not self._looking.done()):
            return
        self._looked_ns = now_ns
        self._looking = asyncio.get_running_loop().create_task(self._follow_master())

    async def _follow_master(self) -> None:
        """Leave a former master: it may go on as one for seconds, and what it takes is lost.

        redis-py would leave it with idle connections only, and ask two servers in turn.
        """
        pool = cast("SentinelConnectionPool", self.connection_pool)
        with contextlib.suppress(RedisError, OSError):
            master = await pool.get_master_address()  # type: ignore[no-untyped-call]
            if self._master not in {None, master}:
                await pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
                await pool.disconnect(inuse_connections=False)
            self._master = master

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's
        """Close all connections, those to the sentinels too."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await super().aclose(close_connection_pool)
        if self.sentinels is not None:
            await self.sentinels.aclose()


class _Cluster(RedisCluster):
    """A cluster; a command goes where its key is."""

    __slots__ = ("where",)
    where: str

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Return the reply. Raises RedisUnavailableError, or ResponseError for Redis' own."""
        try:
            return await super().execute_command(*args, **options)
        except UNAVAILABLE as error:
            raise _told(error, self.where) from error


ControlClient = _Single | _Cluster
"""A `redis.asyncio` client; replies are bytes, in RESP2's shapes. End it with `aclose()`."""


async def connect_control(address: RedisAddress, *, timeout_s: float = TIMEOUT_S) -> ControlClient:
    """Return a client whose server has answered; it reconnects by itself from then on.

    A command waits at most `timeout_s` for its reply and is never sent twice. Raises
    RedisUnavailableError, and ValueError for TLS files that cannot be read.
    """
    client = _client(address, timeout_s)
    try:
        with contextlib.suppress(NoPermissionError):  # PING may be more than the user may do
            await client.execute_command("PING")
    except BaseException:
        await client.aclose()
        raise
    return client


def _client(address: RedisAddress, timeout_s: float) -> ControlClient:
    options = _options(address, timeout_s)
    if address.kind is RedisKind.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        cluster = _Cluster(startup_nodes=nodes, **options)
        cluster.where = address.label
        return cluster
    options["db"] = address.db
    if address.kind is RedisKind.SENTINEL:
        single = _sentinel_client(address, timeout_s, options)
    elif address.kind is RedisKind.UNIX:
        single = _Single(unix_socket_path=address.path, **options)
    else:
        host, port = address.hosts[0]
        single = _Single(host=host, port=port, **options)
    single.where = address.label
    return single


def _sentinel_client(address: RedisAddress, timeout_s: float, options: dict[str, Any]) -> _Single:
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts,
        sentinel_kwargs=_options(address, timeout_s, to_sentinel=True),
        **options,
    )
    client: _Single = sentinels.master_for(address.service or "", redis_class=_Single)
    client.sentinels = sentinels
    return client


def _options(
    address: RedisAddress, timeout_s: float, *, to_sentinel: bool = False
) -> dict[str, Any]:
    password = address.sentinel_password if to_sentinel else address.password
    options: dict[str, Any] = {
        "username": address.sentinel_user if to_sentinel else address.user,
        "password": None if password is None else password.reveal(),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "health_check_interval": HEALTH_CHECK_INTERVAL_S,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }
    if address.tls is not None:
        options |= {
            "ssl": True,
            "ssl_ca_certs": address.tls.ca_certs,
            "ssl_certfile": address.tls.certfile,
            "ssl_keyfile": address.tls.keyfile,
            "ssl_cert_reqs": address.tls.cert_reqs,
            "ssl_check_hostname": address.tls.check_hostname,
        }
    return options


def _told(error: BaseException, where: str) -> RedisUnavailableError:
    """Return the error a person can act on."""
    if isinstance(error, RedisUnavailableError):
        return error
    # redis-py tells most troubles of a connection as its ConnectionError, the reason behind it.
    reason = error.__cause__ or error
    kind = RedisUnavailableError
    if isinstance(reason, AuthenticationError):
        kind = RedisRefusedError
        advice = "check the user and password of the Redis URL"
    elif isinstance(reason, BusyLoadingError):
        advice = "it is reading its data from the disk; try again in a moment"
    elif isinstance(error, ClusterError):
        advice = "a part of it is not served, or on its way to another node; try again in a moment"
    elif isinstance(error, RedisTimeoutError):
        advice = "it is overloaded, stopped or behind a firewall"
    else:
        advice = "check that it runs and that the Redis URL is right"
    cause = str(error) or type(error).__name__
    if isinstance(error, MasterNotFoundError):
        cause = cause.partition(" : ")[0]  # behind it: every setting of the sentinels' clients
    return kind(f"cannot use Redis at {where}: {advice} ({cause})")


class Scripts:
    """Run packaged Lua scripts by their name, sending a text only when Redis does not know it."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._loaded: dict[str, Script] = {}

    async def run(
        self,
        name: str,
        keys: Sequence[bytes | str],
        args: Sequence[bytes | str | int],
    ) -> Any:
        """Return the reply of `scripts/<name>.lua`. In a cluster `keys` tells the node.

        Raises RedisUnavailableError (the script may have run) and redis' ResponseError.
        """
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = load_script(name)
        return await self.run_script(script, keys, args)

    async def run_script(
        self,
        script: Script,
        keys: Sequence[bytes | str],
        args: Sequence[bytes | str | int],
    ) -> Any:
        """Return the reply of `script`; as `run`."""
        tail = (len(keys), *keys, *args)
        try:
            return await self._client.execute_command("EVALSHA", script.sha, *tail)
        except NoScriptError:
            # EVAL leaves the script on the server: the next EVALSHA finds it, and of a cluster
            # just the node that was missing it gets it.
            return await self._client.execute_command("EVAL", script.text, *tail)
