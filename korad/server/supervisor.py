"""The processes of a server: fork them, restart those that die, stop them in order.

The supervisor has no threads and no event loop, so forking is safe at any time.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from korad.domain.value import value

RESTART_PAUSE_S = 0.05
RESTART_PAUSE_MAX_S = 1.0
"""A process that dies soon after its start is restarted after a pause that doubles up to this."""
SOON_S = 1.0

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = logging.getLogger("korad")


@value
class Job:
    """One process to keep alive."""

    name: str
    run: Callable[[], None]
    """The process's whole life, ended by SIGTERM."""
    last: bool = False
    """Stopped only when all others have ended: it takes care of what they leave."""


class Supervisor:
    """Keep a process alive for each job."""

    def __init__(
        self, jobs: Sequence[Job], *, stop_timeout_s: float, on_stop: Callable[[], None]
    ) -> None:
        """Supervise `jobs`; `on_stop` is called before the first process is told to stop."""
        self._jobs = tuple(jobs)
        self._on_stop = on_stop
        self._stop_timeout_s = stop_timeout_s
        self._running: dict[int, tuple[Job, float]] = {}
        """Process id to (job, when it was started)."""
        self._pauses_s: dict[str, float] = {}

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return 0 when every process ended in time."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for job in self._jobs:
            self._start(job)
        while True:
            number = signal.sigwait(_SIGNALS)
            if number in (signal.SIGTERM, signal.SIGINT):
                return self._stop_all()
            if number == signal.SIGCHLD:
                self._restart_dead()

    def _start(self, job: Job) -> None:
        supervisor = os.getpid()
        process_id = os.fork()
        if process_id:
            self._running[process_id] = (job, time.monotonic())
            return
        code = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            _end_with(supervisor)
            job.run()
            code = 0
        except BaseException:  # noqa: BLE001 - a forked child must never return to its parent's code
            _log.exception("%s failed", job.name)
        finally:
            # Nothing of the supervisor's (atexit, buffers) is this process's to run.
            os._exit(code)

    def _restart_dead(self) -> None:
        for job, started, status in self._reap():
            _log.error("%s ended with %s; starting another", job.name, _ending(status))
            pause_s = 0.0
            if time.monotonic() - started < SOON_S:
                pause_s = self._pauses_s.get(job.name, RESTART_PAUSE_S)
                time.sleep(pause_s)
            self._pauses_s[job.name] = min(RESTART_PAUSE_MAX_S, 2 * pause_s or RESTART_PAUSE_S)
            self._start(job)

    def _reap(self) -> list[tuple[Job, float, int]]:
        ended = []
        for process_id in list(self._running):
            found, status = os.waitpid(process_id, os.WNOHANG)
            if found:
                ended.append((*self._running.pop(process_id), status))
        return ended

    def _stop_all(self) -> int:
        self._on_stop()
        first = self._stop(last=False)
        return 0 if self._stop(last=True) and first else 1

    def _stop(self, *, last: bool) -> bool:
        """End the processes of one turn; return whether all did in time and with exit code 0."""
        ending = {process_id for process_id, (job, _) in self._running.items() if job.last is last}
        for process_id in ending:
            os.kill(process_id, signal.SIGTERM)
        clean = True
        deadline = time.monotonic() + self._stop_timeout_s
        while ending:
            for job, _, status in self._reap():
                clean = clean and status == 0
                if job.last is not last:
                    _log.error("%s ended with %s", job.name, _ending(status))
            ending &= self._running.keys()
            left_s = deadline - time.monotonic()
            if not ending:
                break
            if left_s <= 0:
                for process_id in ending:
                    os.kill(process_id, signal.SIGKILL)
                clean = False
                deadline = time.monotonic() + self._stop_timeout_s
            signal.sigtimedwait((signal.SIGCHLD,), max(0.05, min(left_s, 1.0)))
        return clean


def _end_with(supervisor: int) -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, so that no process outlives it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os.kill(os.getpid(), signal.SIGTERM)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
