"""The process that callgrind counts: `python -P -m bench.micro.marked NAME...`.

callgrind writes its counter down whenever `getppid` is called, which nothing else here does. Each
benchmark is called `calls` times between its first mark and its second, and three times as often
between the second and the third: the difference is without the cost of marks and loop's start.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from itertools import repeat

import msgspec

from bench.micro.registry import opened_benchmark

MARK = os.getppid
_WARM_UPS = 3
_LOOP_S = 0.1
_CALLS_MAX = 200


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark, in the order of the marks."""

    name: str
    calls: int
    operations: float
    """Of a call."""


def main(*names: str) -> None:
    """Run the benchmarks between marks and write down which they were."""
    found = [each for name in names if (each := _run(name)) is not None]
    sys.stdout.buffer.write(msgspec.json.encode(found))


def _run(name: str) -> Marked | None:
    try:
        with opened_benchmark(name) as work:
            return Marked(name=name, calls=_mark(work.call), operations=work.operations)
    except Exception as error:  # noqa: BLE001 - told; it leaves no mark
        sys.stderr.write(f"{name}: {error}\n")
        return None


def _mark(call: Callable[[], object]) -> int:
    """Call between marks and return how often between the first two."""
    took_s = 0.0
    for _ in range(_WARM_UPS):
        start_s = time.perf_counter()
        call()
        took_s = time.perf_counter() - start_s
    calls = max(1, min(_CALLS_MAX, round(_LOOP_S / took_s)))
    gc.collect()
    gc.disable()
    MARK()
    for _ in repeat(None, calls):
        call()
    MARK()
    for _ in repeat(None, 3 * calls):
        call()
    MARK()
    gc.enable()
    return calls


if __name__ == "__main__":
    main(*sys.argv[1:])
