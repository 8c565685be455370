"""The folder of korad's own Redis server: where things are, what its configuration says."""

from __future__ import annotations

import fcntl
import os
import stat
from hashlib import sha256
from pathlib import Path

from korad.adapters.private_folder import make_private_folder
from korad.domain.value import value

SOCKET_PATH_BYTES_MAX = 100
"""Linux allows 107 bytes, macOS 103."""
LOG_BYTES_MAX = 1024 * 1024
"""A start puts a longer log aside."""
LOG_TAIL_LINES = 5


class EmbeddedRedisError(Exception):
    """korad's own Redis server cannot be used; the message says what to do."""


@value
class ServerFiles:
    """Paths of the server of one state folder."""

    folder: Path
    socket: Path

    @property
    def lock(self) -> Path:
        """Held by the server for as long as it lives."""
        return self.folder / "server.lock"

    @property
    def config(self) -> Path:
        """Its configuration, written anew at each start."""
        return self.folder / "korad-redis.conf"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "redis.log"

    @property
    def pid(self) -> Path:
        """Its process id, for people and tools."""
        return self.folder / "redis.pid"

    @property
    def binary(self) -> Path:
        """Path of the binary that wrote the data: another may not be able to read them."""
        return self.folder / "server"

    @property
    def has_data(self) -> bool:
        """Whether it keeps anything: a folder from Redis 7 on, a file before."""
        return any(self.folder.glob("appendonly*"))


def locate(state_dir: Path) -> ServerFiles:
    """Return the paths, the same for every process; nothing is made."""
    folder = state_dir.resolve() / "redis"
    path = folder / "redis.sock"
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        digest = sha256(os.fsencode(folder)).hexdigest()[:12]
        path = Path("/tmp") / f"korad-{os.getuid()}-{digest}" / "redis.sock"  # noqa: S108 - checked
    return ServerFiles(folder=folder, socket=path)


def prepare(state_dir: Path) -> ServerFiles:
    """Return the paths, their folders made and ours alone. Raises EmbeddedRedisError, OSError."""
    make_private_folder(state_dir)
    files = locate(state_dir)
    for folder in {files.folder, files.socket.parent}:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not is_ours(folder):
            raise EmbeddedRedisError(f"{folder} must be a folder of this user: remove it")
        folder.chmod(0o700)
    (files.folder / "socket-path").write_text(f"{files.socket}\n")
    return files


def is_ours(folder: Path) -> bool:
    """Whether `folder` is a folder (no link to one) that belongs to this user."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def take_lock(files: ServerFiles) -> int | None:
    """Return the descriptor of the lock, or None while a server lives or is being started."""
    descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def write_config(files: ServerFiles) -> None:
    """Write the configuration, and put a long log aside."""
    files.config.write_bytes(config_text(files))
    if files.log.exists() and files.log.stat().st_size > LOG_BYTES_MAX:
        files.log.replace(files.log.with_suffix(".log.1"))


def config_text(files: ServerFiles) -> bytes:
    """Return the configuration: a unix socket only, durable, nothing ever evicted."""
    lines = (
        b"# Written by korad at each start of the server.",
        b"port 0",
        b"unixsocket " + _quoted(files.socket),
        b"unixsocketperm 700",
        b"dir " + _quoted(files.folder),
        b"pidfile " + _quoted(files.pid),
        b"logfile " + _quoted(files.log),
        b"daemonize no",
        b"appendonly yes",
        b"appendfsync everysec",
        # Compressing the stream at each rewrite costs more than to write it as it is.
        b"rdbcompression no",
        # The stream alone may hold 150 MB: rewritten at Redis' own 64 MB and double, a busy server
        # would write it again every ten seconds.
        b"auto-aof-rewrite-min-size 256mb",
        b"auto-aof-rewrite-percentage 200",
        b"aof-load-truncated yes",
        b'save ""',
        b"maxmemory-policy noeviction",
        b"",
    )
    return b"\n".join(lines)


def _quoted(path: Path) -> bytes:
    """Return a path as one quoted word of the configuration."""
    escaped = b"".join(
        bytes((byte,)) if byte >= ord(" ") and byte not in b'"\\' else b"\\x%02x" % byte
        for byte in os.fsencode(path)
    )
    return b'"' + escaped + b'"'


def log_tail(files: ServerFiles) -> str:
    """Return the last lines of the log."""
    try:
        text = files.log.read_bytes()[-LOG_BYTES_MAX:].decode(errors="replace")
    except OSError as error:
        return str(error)
    return " | ".join(text.splitlines()[-LOG_TAIL_LINES:])
