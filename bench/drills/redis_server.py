"""Redis servers of the drill's own: started, stopped, frozen, sent back in time, and asked."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from bench.drills import processes
from bench.drills.checks import SkippedError

START_TIMEOUT_S = 10.0
Reply = bytes | int | list["Reply"] | None


class RedisReplyError(Exception):
    """Redis answered with an error."""


class RedisClient:
    """A plain blocking connection that speaks RESP2; the product's own client is not trusted."""

    def __init__(self, *, port: int = 0, path: Path | None = None) -> None:
        if path is None:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(10)
            self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")

    def ask(self, *words: str | bytes | int) -> Reply:
        """Send a command and return its answer. Raises RedisReplyError, OSError."""
        parts = [each if isinstance(each, bytes) else str(each).encode() for each in words]
        self._socket.sendall(
            b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)
        )
        return self._reply()

    def hash(self, key: str) -> dict[str, str]:
        """Return a hash."""
        flat = self.ask("HGETALL", key)
        assert isinstance(flat, list)
        words = [each.decode() for each in flat if isinstance(each, bytes)]
        return dict(zip(words[::2], words[1::2], strict=True))

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _reply(self) -> Reply:
        line = self._file.readline()
        if not line:
            raise ConnectionError("Redis hung up")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisReplyError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        return [self._reply() for _ in range(int(rest))]


class RedisServer:
    """One data folder and the server that runs on it, one start after another."""

    def __init__(
        self, folder: Path, port: int, *options: str, binary: str | None = None, file: str = ""
    ) -> None:
        """`options` are further words for the command line, `file` the text of its settings."""
        self.folder = folder
        self.port = port
        self._options = options
        self._binary = binary
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start it as korad starts its own: everything in an append-only file."""
        binary = self._binary or shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            raise SkippedError("no redis-server is installed")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [binary, *self._words()],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError("redis-server does not answer")
            time.sleep(0.02)

    def _words(self) -> tuple[str, ...]:
        address = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        if self._file:
            path = self.folder / "redis.conf"
            if not path.exists():  # a sentinel writes into its own
                path.write_text(self._file)
            return (str(path), *address, *self._options)
        kept = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
        return (*address, *kept, "--maxmemory-policy", "noeviction", *self._options)

    def _answers(self) -> bool:
        try:
            client = self.client()
        except OSError:
            return False
        try:
            client.ask("PING")
        except (OSError, RedisReplyError):
            return False
        finally:
            client.close()
        return True

    def client(self) -> RedisClient:
        """Return a new connection."""
        return RedisClient(port=self.port)

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; wait for its end where the signal ends it."""
        assert self._process is not None
        self._process.send_signal(number)
        if number in (signal.SIGTERM, signal.SIGKILL):
            self._process.wait(timeout=20)

    def copy_data(self, target: Path) -> None:
        """Copy the data folder while the server runs, as a replica that lags would have it."""
        shutil.copytree(self.folder, target)

    def restore_data(self, source: Path) -> None:
        """Put an older copy in place of the data; the server must be down."""
        shutil.rmtree(self.folder)
        shutil.copytree(source, self.folder)

    def stop(self) -> None:
        """End it, frozen or not."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(timeout=20)


def embedded_id(state: Path) -> int | None:
    """Return the process of a state folder's embedded server, if it runs."""
    try:
        process_id = int((state / "redis" / "redis.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    words = processes.command_line(process_id)
    # The number may be another's by now: only a server of this folder is ours to end.
    owned = ("redis" in words or "valkey" in words) and _works_in(process_id, state)
    return process_id if owned else None


def kill_embedded(state: Path) -> None:
    """Kill -9 a state folder's embedded server, if it runs."""
    process_id = embedded_id(state)
    if process_id is not None:
        processes.send(process_id, signal.SIGCONT)
        processes.send(process_id, signal.SIGKILL)
        processes.wait_gone([process_id])


def _works_in(process_id: int, state: Path) -> bool:
    try:
        folder = Path(f"/proc/{process_id}/cwd").resolve()
    except OSError:
        return False
    words = processes.command_line(process_id)
    return str(state) in words or folder.is_relative_to(state.resolve())
