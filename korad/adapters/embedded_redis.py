"""A Redis server of korad's own, for where no URL is given.

It lives in `redis/` of the state folder, listens on a unix socket only, is durable, and outlives
whoever started it: a start attaches to a running one. Nothing here needs an event loop.

Whether one lives is told by `server.lock`, which the server itself holds open: a process id could
be another's by now, and two servers on the same data would destroy them.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path

from korad.adapters.embedded_redis_binary import find_server_binary
from korad.adapters.embedded_redis_files import (
    EmbeddedRedisError,
    ServerFiles,
    is_ours,
    locate,
    log_tail,
    prepare,
    take_lock,
    write_config,
)
from korad.adapters.redis_url import RedisAddress, unix_address
from korad.clock import monotonic_ns

__all__ = ["EmbeddedRedisError", "EmbeddedServer", "ensure_server", "find_running"]

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
TALK_TIMEOUT_S = 2.0
LOOK_EVERY_S = 0.02
STDERR = 2
_NS_PER_S = 1_000_000_000


class EmbeddedServer:
    """A running server, and, if this process started it, its process id: who did, stops it."""

    def __init__(self, files: ServerFiles, child: int | None) -> None:
        self._files = files
        self._child = child
        self.started = child is not None
        """Whether this process started it."""
        self.address: RedisAddress = unix_address(str(files.socket))

    @property
    def pid(self) -> int:
        """The server's process id. Raises OSError once it has ended."""
        return int(self._files.pid.read_text())

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Let it write everything to the disk and end, and wait until it has.

        Raises EmbeddedRedisError if it is still there after `timeout_s`. One that has ended
        already is no error.
        """
        until = monotonic_ns() + int(timeout_s * _NS_PER_S)
        pid = _pid(self._files)
        _talk(self._files, b"SHUTDOWN\r\n")
        while not self._is_gone():
            if monotonic_ns() > until:
                raise EmbeddedRedisError(
                    f"korad's Redis server (process {pid}) did not stop: {log_tail(self._files)}"
                )
            time.sleep(LOOK_EVERY_S)

    def _is_gone(self) -> bool:
        # Only a child of ours is waited for: by now the id of another may be that of a worker.
        if self._child is not None and _has_ended(self._child):
            self._child = None
        lock = take_lock(self._files)
        if lock is None:
            return False
        os.close(lock)
        return self._child is None


class _State(Enum):
    GONE = 1
    LOADING = 2
    READY = 3


def ensure_server(state_dir: Path, *, timeout_s: float = START_TIMEOUT_S) -> EmbeddedServer:
    """Return the server of this state folder, started if none runs, its data loaded.

    Raises EmbeddedRedisError: no binary, it does not start, or not within `timeout_s`; then it
    goes on loading, and a later call may find it ready. Raises OSError for the folder.
    """
    files = prepare(state_dir)
    until = monotonic_ns() + int(timeout_s * _NS_PER_S)
    pid: int | None = None
    while (state := _look(files)) is not _State.READY:
        if pid is None:
            lock = take_lock(files)
            if lock is not None:
                pid = _start(files, lock)
        elif _has_ended(pid):
            raise EmbeddedRedisError(f"korad's Redis server did not start: {log_tail(files)}")
        if monotonic_ns() > until:
            what = "is still reading its data" if state is _State.LOADING else "does not answer"
            raise EmbeddedRedisError(
                f"korad's Redis server (process {pid or _pid(files)}) {what} after "
                f"{timeout_s:g} s: {log_tail(files)}"
            )
        time.sleep(LOOK_EVERY_S)
    return EmbeddedServer(files, pid)


def find_running(state_dir: Path) -> RedisAddress | None:
    """Return the address of this state folder's server if one answers; starts none."""
    files = locate(state_dir)
    if not is_ours(files.socket.parent) or _look(files) is _State.GONE:
        return None
    return unix_address(str(files.socket))


def _start(files: ServerFiles, lock: int) -> int:
    """Start a server that holds `lock`, and return its process id."""
    try:
        binary = find_server_binary(files)
        write_config(files)
        files.pid.unlink(missing_ok=True)
        files.binary.write_text(f"{binary}\n")
        _let_go_of_descriptors()
        os.set_inheritable(lock, True)  # noqa: FBT003 - os' signature
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # A process group of its own and no blocked signal: it must outlive us, and hear SIGTERM.
        # Not a session of its own: the kernel's autogroups divide a busy processor between
        # sessions first, and beside workers that saturate it, Redis was seen to starve for seconds.
        # It gets none of our environment: credentials may be there.
        return os.posix_spawn(
            binary,
            [str(binary), str(files.config)],
            {"LC_ALL": "C"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(files.log), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
            setsigmask=[],
        )
    finally:
        os.close(lock)


def _let_go_of_descriptors() -> None:
    """Keep what we were given from the server: it would hold a caller's pipe open for ever."""
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):
            if int(name) > STDERR:
                os.set_inheritable(int(name), False)  # noqa: FBT003


def _look(files: ServerFiles) -> _State:
    reply = _talk(files, b"PING\r\n")
    if reply is None:
        return _State.GONE
    # It answers PING with an error when the disk is full: it lives all the same.
    return _State.LOADING if reply.startswith(b"-LOADING") else _State.READY


def _talk(files: ServerFiles, command: bytes) -> bytes | None:
    """Return the beginning of a reply, or None if nobody answers."""
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(TALK_TIMEOUT_S)
        try:
            talk.connect(str(files.socket))
            talk.sendall(command)
            return talk.recv(512) or None
        except OSError:
            return None


def _pid(files: ServerFiles) -> int | None:
    with suppress(OSError, ValueError):
        return int(files.pid.read_text())
    return None


def _has_ended(child: int) -> bool:
    """Whether a child of ours has ended; it leaves the process table then."""
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:  # somebody has waited for it already
        return True
