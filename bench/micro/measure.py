"""Measure benchmarks in turns: a slow moment of the machine hits all of them alike.

The time is that of the thread on its processor, so that of others does not count; caches and
clock rates shared with others still do, which is why medians and bytecodes are told.
"""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import korad
from bench.micro.bytecodes import bytecodes_of
from bench.micro.figures import SCHEMA_VERSION, Measured, Run
from bench.micro.registry import opened_benchmark
from bench.micro.work import Work

SAMPLE_NS = 5_000_000
"""A sample repeats the call until it takes about this long."""
ROUNDS_MIN = 3


class _Timed(NamedTuple):
    work: Work
    calls: int
    samples_ns: list[float]


class _WrongResultError(Exception):
    """Work that came out wrong: its time would mean nothing."""


def measure(names: Sequence[str], *, seconds: float, bytecodes: bool = True) -> Run:
    """Measure each benchmark for about `seconds`, in turns; what fails is told by name."""
    failed: dict[str, str] = {}
    timed: dict[str, _Timed] = {}
    with ExitStack() as stack:
        for name in names:
            try:
                work = stack.enter_context(opened_benchmark(name))
                _check(work)
            except Exception as error:  # noqa: BLE001 - told: another korad may lack anything
                failed[name] = f"{type(error).__name__}: {error}"
                continue
            timed[name] = _Timed(work, _calls_per_sample(work.call), [])
        _take_turns(list(timed.values()), seconds)
        measured = {name: _result(each, bytecodes=bytecodes) for name, each in timed.items()}
    return Run(
        schema_version=SCHEMA_VERSION,
        korad_path=str(Path(korad.__file__).resolve().parent),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        measured=measured,
        failed=failed,
    )


def _take_turns(timed: list[_Timed], seconds: float) -> None:
    ends_ns = time.perf_counter_ns() + round(seconds * len(timed) * 1e9)
    rounds = 0
    while timed and (rounds < ROUNDS_MIN or time.perf_counter_ns() < ends_ns):
        for each in timed:
            spent_ns = _spent_ns(each.work.call, each.calls)
            each.samples_ns.append(spent_ns / each.calls / each.work.operations)
        rounds += 1


def _result(timed: _Timed, *, bytecodes: bool) -> Measured:
    work = timed.work
    _check(work)
    counted = bytecodes_of(work.call) / work.operations if bytecodes else None
    return Measured(samples_ns=timed.samples_ns, bytecodes=counted)


def _check(work: Work) -> None:
    result = work.call()
    if not work.is_right(result):
        raise _WrongResultError(f"{result!r:.200}")


def _calls_per_sample(call: Callable[[], object]) -> int:
    calls = 1
    while True:
        spent_ns = _spent_ns(call, calls)
        if spent_ns * 2 >= SAMPLE_NS:
            return max(1, round(calls * SAMPLE_NS / spent_ns))
        calls *= 2


def _spent_ns(call: Callable[[], object], calls: int) -> int:
    """Return the thread's CPU time of `calls` calls; the garbage collector rests meanwhile."""
    gc.disable()
    try:
        start_ns = time.thread_time_ns()
        for _ in repeat(None, calls):
            call()
        return time.thread_time_ns() - start_ns
    finally:
        gc.enable()
