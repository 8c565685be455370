"""Several workers on one port: fork them, restart those that die, stop them together.

The supervisor has no threads and no event loop, so forking is safe at any time.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

RESTART_PAUSE_S = 1.0
"""A worker that dies sooner than this after its start is restarted only after a pause."""

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = logging.getLogger("korad")


class Supervisor:
    """Keep `count` workers alive; `run_worker(index)` is a worker's whole life."""

    def __init__(
        self, count: int, run_worker: Callable[[int], None], *, stop_timeout_s: float
    ) -> None:
        self._count = count
        self._run_worker = run_worker
        self._stop_timeout_s = stop_timeout_s
        self._workers: dict[int, tuple[int, float]] = {}
        """Process id to (index, when it was started)."""

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return 0 when every worker ended in time."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for index in range(self._count):
            self._start(index)
        while True:
            number = signal.sigwait(_SIGNALS)
            if number in (signal.SIGTERM, signal.SIGINT):
                return self._stop()
            if number == signal.SIGCHLD:
                self._restart_dead()

    def _start(self, index: int) -> None:
        supervisor = os.getpid()
        process_id = os.fork()
        if process_id:
            self._workers[process_id] = (index, time.monotonic())
            return
        code = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            _end_with(supervisor)
            self._run_worker(index)
            code = 0
        except BaseException:  # noqa: BLE001 - a forked child must never return to its parent's code
            _log.exception("worker %d failed", index)
        finally:
            # Nothing of the supervisor's (atexit, buffers) is this process's to run.
            os._exit(code)

    def _restart_dead(self) -> None:
        for index, started, status in self._reap():
            _log.error("worker %d ended with %s; starting another", index, _ending(status))
            if time.monotonic() - started < RESTART_PAUSE_S:
                time.sleep(RESTART_PAUSE_S)
            self._start(index)

    def _reap(self) -> list[tuple[int, float, int]]:
        ended = []
        for process_id in list(self._workers):
            found, status = os.waitpid(process_id, os.WNOHANG)
            if found:
                ended.append((*self._workers.pop(process_id), status))
        return ended

    def _stop(self) -> int:
        for process_id in self._workers:
            os.kill(process_id, signal.SIGTERM)
        clean = True
        deadline = time.monotonic() + self._stop_timeout_s
        while self._workers:
            for _, _, status in self._reap():
                clean = clean and status == 0
            left_s = deadline - time.monotonic()
            if not self._workers:
                break
            if left_s <= 0:
                for process_id in self._workers:
                    os.kill(process_id, signal.SIGKILL)
                clean = False
                deadline = time.monotonic() + self._stop_timeout_s
            signal.sigtimedwait((signal.SIGCHLD,), max(0.05, min(left_s, 1.0)))
        return 0 if clean else 1


def _end_with(supervisor: int) -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, so that no worker outlives it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os.kill(os.getpid(), signal.SIGTERM)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
