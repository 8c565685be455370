"""Several Redis servers that belong together: sentinels with their replicas, and a cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from bench.drills.redis_server import RedisClient, RedisReplyError, RedisServer, Reply
from bench.ports import free_port
from korad.adapters.redis_cluster import SLOTS, key_slot

READY_TIMEOUT_S = 30.0
SERVICE = "books"
DOWN_AFTER_MS = 1_000
"""Silence after which the sentinels promote a replica; 30 s where nobody sets it."""
NODE_TIMEOUT_MS = 2_000
_SENTINEL = """sentinel monitor {service} 127.0.0.1 {port} 2
sentinel down-after-milliseconds {service} {down_after_ms}
sentinel failover-timeout {service} 10000
"""
_MOVED = re.compile(r"^(?:MOVED|ASK) \d+ [^ ]*:(\d+)$")


class Sentinels:
    """A primary, two replicas, and three sentinels that watch them."""

    def __init__(self, folder: Path) -> None:
        ports = [free_port() for _ in range(6)]
        of_first = ("--replicaof", "127.0.0.1", str(ports[0]), "--repl-diskless-sync-delay", "0")
        self.nodes = [
            RedisServer(folder / f"node-{at}", port, *(of_first if at else ()))
            for at, port in enumerate(ports[:3])
        ]
        watch = _SENTINEL.format(service=SERVICE, port=ports[0], down_after_ms=DOWN_AFTER_MS)
        self.sentinels = [
            RedisServer(folder / f"sentinel-{at}", port, "--sentinel", file=watch)
            for at, port in enumerate(ports[3:])
        ]

    @property
    def url(self) -> str:
        """The URL that korad is given."""
        where = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"redis+sentinel://{where}/{SERVICE}/0"

    def start(self) -> None:
        """Start all, and wait until they know one another. Raises TimeoutError."""
        for each in (*self.nodes, *self.sentinels):
            each.start()
        _until(lambda: all(_knows(each) for each in self.sentinels), "the sentinels do not agree")
        _until(lambda: all(_follows(each) for each in self.nodes[1:]), "the replicas do not follow")

    def primary(self) -> RedisServer:
        """Return the server that the sentinels call the primary now."""
        found = _ask(self.sentinels[0], "SENTINEL", "get-master-addr-by-name", SERVICE)
        assert isinstance(found, list)
        assert isinstance(found[1], bytes)
        port = int(found[1])
        return next(each for each in self.nodes if each.port == port)

    def replicas(self) -> list[RedisServer]:
        """Return the others that run."""
        primary = self.primary()
        return [each for each in self.nodes if each is not primary and each.runs]

    def cut_off_replicas(self) -> None:
        """Let no replica hear of what is written from now on; the sentinels mend it in 10 s."""
        dead = free_port()
        for each in self.replicas():
            _ask(each, "REPLICAOF", "127.0.0.1", dead)

    def until_promoted(self, former: RedisServer) -> float:
        """Wait until another than `former` is the primary; return the seconds it took."""
        started = time.monotonic()

        def promoted() -> bool:
            primary = self.primary()
            return primary is not former and _role(primary) == b"master"

        _until(promoted, "no replica was promoted")
        return time.monotonic() - started

    def until_follows(self, node: RedisServer) -> None:
        """Wait until a server that came back follows the primary."""
        _until(lambda: _follows(node), "the former primary does not follow")

    def stop(self) -> None:
        """End all."""
        for each in (*self.sentinels, *self.nodes):
            each.stop()


class Cluster:
    """Three primaries without replicas, each with a third of the slots; two serve without one."""

    def __init__(self, folder: Path) -> None:
        self._bus_ports = [free_port() for _ in range(3)]
        self.nodes = [
            RedisServer(
                folder / f"node-{at}",
                free_port(),
                *("--cluster-enabled", "yes", "--cluster-port", str(bus_port)),
                *("--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
                *("--cluster-require-full-coverage", "no"),
            )
            for at, bus_port in enumerate(self._bus_ports)
        ]

    @property
    def url(self) -> str:
        """The URL that korad is given."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{each.port}" for each in self.nodes)

    def start(self) -> None:
        """Start the nodes and let them agree. Raises TimeoutError."""
        bounds = [SLOTS * at // 3 for at in range(4)]
        for at, node in enumerate(self.nodes):
            node.start()
            _ask(node, "CLUSTER", "ADDSLOTSRANGE", bounds[at], bounds[at + 1] - 1)
            _ask(node, "CLUSTER", "SET-CONFIG-EPOCH", at + 1)
        for node, bus_port in zip(self.nodes, self._bus_ports, strict=True):
            _ask(self.nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port, bus_port)
        self.until_ok()

    def until_ok(self) -> float:
        """Wait until every node calls the cluster whole; return the seconds it took."""
        started = time.monotonic()
        _until(lambda: all(map(_is_whole, self.nodes)), "the cluster does not become whole")
        return time.monotonic() - started

    def owner(self, slot: int) -> RedisServer:
        """Return the node that serves a slot."""
        return next(each for each in self.nodes if _serves(each, slot))

    def client(self) -> ClusterClient:
        """Return a client that finds each key's node."""
        return ClusterClient([each.port for each in self.nodes])

    def stop(self) -> None:
        """End all."""
        for each in self.nodes:
            each.stop()


class ClusterClient(RedisClient):
    """Follow a cluster to where a command's key is."""

    def __init__(self, ports: list[int]) -> None:
        self._links = {port: RedisClient(port=port) for port in ports}
        self._at: dict[int, int] = {}
        """The port of a slot's node, as far as known."""

    def ask(self, *words: str | bytes | int) -> Reply:
        """Ask the node of the key, which is the second word. Raises RedisReplyError, OSError."""
        slot = key_slot(str(words[1]).encode())
        for _ in range(len(self._links)):
            port = self._at.get(slot, next(iter(self._links)))
            try:
                return self._links[port].ask(*words)
            except RedisReplyError as error:
                moved = _MOVED.match(str(error))
                if moved is None:
                    raise
                self._at[slot] = int(moved[1])
        raise RedisReplyError("the cluster sends from node to node")

    def close(self) -> None:
        """Hang up everywhere."""
        for link in self._links.values():
            link.close()


class SlotMove:
    """One slot on its way from its node to another, step by step, as redis-cli does it."""

    def __init__(self, cluster: Cluster, slot: int) -> None:
        self.slot = slot
        self.cluster = cluster
        self.source = cluster.owner(slot)
        self.target = next(each for each in cluster.nodes if each is not self.source)

    def begin(self) -> None:
        """From now on what the source does not have is at the target."""
        source_id, target_id = (_node_id(each) for each in (self.source, self.target))
        _ask(self.target, "CLUSTER", "SETSLOT", self.slot, "IMPORTING", source_id)
        _ask(self.source, "CLUSTER", "SETSLOT", self.slot, "MIGRATING", target_id)

    def move_keys(self, most: int = 1_000) -> int:
        """Move so many keys at most; return how many there were."""
        names = _ask(self.source, "CLUSTER", "GETKEYSINSLOT", self.slot, most)
        assert isinstance(names, list)
        for name in names:
            assert isinstance(name, bytes)
            _ask(self.source, "MIGRATE", "127.0.0.1", self.target.port, name, 0, 5_000)
        return len(names)

    def end(self) -> None:
        """Move what is left, and let the slot be the target's."""
        while self.move_keys():
            pass
        for node in (self.target, self.source, *self.cluster.nodes):
            _ask(node, "CLUSTER", "SETSLOT", self.slot, "NODE", _node_id(self.target))


def _ask(server: RedisServer, *words: str | bytes | int) -> Reply:
    client = server.client()
    try:
        return client.ask(*words)
    finally:
        client.close()


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            if holds():
                return
        except (OSError, RedisReplyError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


def _knows(sentinel: RedisServer) -> bool:
    """Whether a sentinel knows both replicas and both other sentinels."""
    replicas = _ask(sentinel, "SENTINEL", "REPLICAS", SERVICE)
    others = _ask(sentinel, "SENTINEL", "SENTINELS", SERVICE)
    assert isinstance(replicas, list)
    assert isinstance(others, list)
    return len(replicas) == len(others) == 2  # noqa: PLR2004 - three of each, less one


def _role(server: RedisServer) -> Reply:
    role = _ask(server, "ROLE")
    assert isinstance(role, list)
    return role[0]


def _follows(server: RedisServer) -> bool:
    role = _ask(server, "ROLE")
    assert isinstance(role, list)
    return role[0] == b"slave" and role[3] == b"connected"


def _is_whole(node: RedisServer) -> bool:
    told = _ask(node, "CLUSTER", "INFO")
    slots = _ask(node, "CLUSTER", "SLOTS")
    assert isinstance(told, bytes)
    assert isinstance(slots, list)
    return b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told


def _node_id(node: RedisServer) -> bytes:
    own = _ask(node, "CLUSTER", "MYID")
    assert isinstance(own, bytes)
    return own


def _serves(node: RedisServer, slot: int) -> bool:
    ranges = _ask(node, "CLUSTER", "SLOTS")
    assert isinstance(ranges, list)
    for each in ranges:
        assert isinstance(each, list)
        first, last, owner = each[:3]
        assert isinstance(first, int)
        assert isinstance(last, int)
        assert isinstance(owner, list)
        if first <= slot <= last:
            return owner[1] == node.port
    return False
