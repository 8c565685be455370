"""A process tree's CPU time holds what its descendants spent, dead or alive."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.load.measured import Sampler
from bench.load.process_tree import ProcessTree

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
PARENT = f"""
import subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", {BURN + "print('burnt', flush=True); input()"!r}],
                         stdin=subprocess.PIPE)
input()
child.communicate(b"\\n")
print("reaped", flush=True)
input()
"""
BURNT_NS = 250_000_000


def test_a_child_that_ended_keeps_what_it_had_spent():
    with subprocess.Popen(  # noqa: S603 - a program of our own
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        tree = ProcessTree(parent.pid)
        assert parent.stdin
        assert parent.stdout
        assert parent.stdout.readline() == "burnt\n"
        before_ns = tree.cpu_ns()
        assert len(tree.processes()) == 2
        assert tree.pss_bytes() > 1_000_000
        assert tree.descriptors() >= 6
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "reaped\n"

        assert [parent.pid] == tree.processes()
        assert BURNT_NS < before_ns <= tree.cpu_ns()

        parent.communicate("\n")
    assert tree.processes() == []
    assert tree.cpu_ns() >= before_ns
    assert tree.pss_bytes() == tree.descriptors() == 0


def test_a_root_that_is_not_there_is_an_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()

    with pytest.raises(ProcessLookupError):
        ProcessTree(ended.pid)


class Steady:
    """Spends a fifth of a core, by the tree's own account."""

    def __init__(self) -> None:
        self.looks = 0

    def cpu_ns(self) -> int:
        self.looks += 1
        return self.looks * 20_000_000

    def pss_bytes(self) -> int:
        return 5

    def descriptors(self) -> int:
        return 6


def test_cpu_time_is_told_by_the_second_between_the_looks(monkeypatch):
    clock = iter(range(0, 10**12, 100_000_000))
    now = [0]
    monkeypatch.setattr("bench.load.measured.monotonic_ns", lambda: now[0])
    sampler = Sampler(Steady())  # type: ignore[arg-type]
    for _ in range(40):
        now[0] = next(clock)
        sampler.look()

    sampled = sampler.finish(550_000_000, 2.5)

    assert sampled.cpu_by_second_ns == [200_000_000, 200_000_000, 100_000_000]
    assert sampled.cpu_ns == 500_000_000
    assert (sampled.pss_max_bytes, sampled.descriptors_max) == (5, 6)


def test_our_own_process_is_a_tree():
    assert os.getpid() in ProcessTree(os.getpid()).processes()
