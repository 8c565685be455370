"""korad's CPU time is told apart by its processes, in its own blocks only."""

from __future__ import annotations

import os
import socket
import time

from bench.load.progress import Progress
from bench.peers.parts import PartsWatch


def progress(target: str, elapsed_s: float, block: int = 0) -> Progress:
    return Progress(
        target=target,
        block=block,
        blocks=2,
        elapsed_s=elapsed_s,
        seconds=1.0,
        started=0,
        ok=0,
        failed=0,
        under_way=0,
        e2e_p50_ns=0,
        e2e_p99_ns=0,
        rate=0.0,
    )


def work() -> None:
    end_s = time.thread_time() + 0.02
    while time.thread_time() < end_s:
        pass


def test_a_process_that_listens_on_korads_port_is_a_worker_and_another_the_bookkeeper():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        worker, other = PartsWatch(os.getpid(), port), PartsWatch(os.getpid(), 1)
        for elapsed_s in (0.1, 0.9):
            for watch in (worker, other):
                watch.see(progress("korad", elapsed_s))
            work()

    assert worker.shares() == {"worker": 1.0, "Redis": 0.0, "bookkeeper": 0.0}
    assert other.shares() == {"worker": 0.0, "Redis": 0.0, "bookkeeper": 1.0}


def test_neither_warm_up_nor_other_targets_are_counted():
    watch = PartsWatch(os.getpid(), 1)

    for target, elapsed_s in (("korad", -0.5), ("korad", 0.5), ("nginx", 0.9), ("korad", 1.5)):
        watch.see(progress(target, elapsed_s))
        work()

    assert watch.shares() == {}
