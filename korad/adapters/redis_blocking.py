"""A blocking Redis client, for threads and commands that wait for one reply at a time."""

from __future__ import annotations

from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry
from redis.sentinel import Sentinel

from korad.adapters.redis_url import RedisAddress, RedisKind

TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 3.0

BlockingClient: TypeAlias = "redis.Redis | redis.RedisCluster"


def blocking_client(address: RedisAddress) -> BlockingClient:
    """Return a client that never sends a command twice; replies are bytes. End it with `close`.

    A server or sentinels are asked only with the first command; a cluster at once. The commands
    raise redis' errors.
    """
    options = _options(address, to_sentinel=False)
    if address.kind is RedisKind.CLUSTER:
        nodes = [
            ClusterNode(host, port)  # type: ignore[no-untyped-call]
            for host, port in address.hosts
        ]
        return redis.RedisCluster(startup_nodes=nodes, **options)
    options["db"] = address.db
    if address.kind is RedisKind.SENTINEL:
        sentinels = Sentinel(  # type: ignore[no-untyped-call]
            address.hosts, sentinel_kwargs=_options(address, to_sentinel=True), **options
        )
        master: redis.Redis = sentinels.master_for(address.service or "")  # type: ignore[no-untyped-call]
        return master
    if address.kind is RedisKind.UNIX:
        return redis.Redis(unix_socket_path=address.path, **options)
    host, port = address.hosts[0]
    return redis.Redis(host=host, port=port, **options)


def _options(address: RedisAddress, *, to_sentinel: bool) -> dict[str, Any]:
    password = address.sentinel_password if to_sentinel else address.password
    options: dict[str, Any] = {
        "username": address.sentinel_user if to_sentinel else address.user,
        "password": None if password is None else password.reveal(),
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
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
