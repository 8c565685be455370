"""Ends what a run has started, should the run itself be killed: `python -m bench.peers.reaper`.

It is told on standard input, a line each: `process ID` (started: end its whole session), `gone ID`
(ended already), `folder PATH` (remove it). It acts when its standard input ends, which also comes
to pass by a kill -9 of the run, and when its parent is another.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.drills import processes
from bench.drills.redis_server import kill_embedded

ROOT = Path(__file__).parents[2]
_LOOK_EVERY_S = 0.5
_END_TIMEOUT_S = 30.0


class Reaper:
    """The run's end of it; leave the context and nothing is left running or lying about."""

    def __enter__(self) -> Self:
        """Start it in a session of its own, where no Ctrl-C reaches it."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "bench.peers.reaper", str(os.getpid())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let it clean up, and wait until it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_END_TIMEOUT_S)

    def watch(self, process_id: int) -> None:
        """End this session leader, and its session, if the run does not."""
        self._tell("process", str(process_id))

    def forget(self, process_id: int) -> None:
        """Leave it alone: it has ended, and its number may be another's by now."""
        self._tell("gone", str(process_id))

    def remove(self, folder: Path) -> None:
        """Remove the folder at the end; an embedded Redis of a state folder in it is ended."""
        self._tell("folder", str(folder))

    def _tell(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{' '.join(words)}\n".encode())
        self._process.stdin.flush()


class Orders:
    """What it was told so far."""

    def __init__(self) -> None:
        self._sessions: set[int] = set()
        self._folders: set[Path] = set()

    def take(self, line: str) -> None:
        """Take one line."""
        verb, _, value = line.strip().partition(" ")
        if verb == "process":
            self._sessions.add(int(value))
        elif verb == "gone":
            self._sessions.discard(int(value))
        elif verb == "folder":
            self._folders.add(Path(value))

    def carry_out(self) -> None:
        """End every session that is left, and remove every folder."""
        for session in self._sessions:
            end_session(session)
        for folder in self._folders:
            for note in folder.rglob("redis/redis.pid"):
                kill_embedded(note.parents[1])
            shutil.rmtree(folder, ignore_errors=True)


def end_session(session: int) -> None:
    """Kill -9 every process of a session, those too that it starts meanwhile."""
    while left := processes.in_session(session):
        for each in left:
            processes.send(each, signal.SIGKILL)
        processes.wait_gone(left)


def main() -> None:
    """Read until the end of the input, or of the parent; then act."""
    parent, orders, held = int(sys.argv[1]), Orders(), b""
    while True:
        lives = os.getppid() == parent
        if not select.select([0], [], [], _LOOK_EVERY_S if lives else 0)[0]:
            if lives:
                continue
            break
        # A parent may be gone before we have begun: what it had told is still to be read.
        data = os.read(0, 65536)
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            orders.take(line.decode())
        if not data:
            break
    orders.carry_out()


if __name__ == "__main__":
    main()
