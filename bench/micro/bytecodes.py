"""Count what Python executes: the same on every machine, however busy, unlike a time.

What runs in C (parsing, hashing, system calls) is one bytecode, however long it takes.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_WARM_UPS = 2
_RUNS = 5


def bytecodes_of(call: Callable[[], object]) -> int:
    """Return the bytecodes that `call` executes in this thread once all is learned.

    The least of some runs: a thread beside it that sleeps must be woken at times. Without garbage
    collections: the finalizers they run are whoever's left the garbage.
    """
    for _ in range(_WARM_UPS):
        call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        return min(_counted(call) for _ in range(_RUNS))
    finally:
        if collecting:
            gc.enable()


def _counted(call: Callable[[], object]) -> int:
    executed = 0

    def on_call(frame: FrameType, _event: str, _arg: Any) -> Callable[..., Any]:
        frame.f_trace = on_event  # Python 3.13 takes the next line only of a frame that has one
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return on_event

    def on_event(_frame: FrameType, event: str, _arg: Any) -> Callable[..., Any]:
        nonlocal executed
        if event == "opcode":
            executed += 1
        return on_event

    former = sys.gettrace()
    sys.settrace(on_call)
    try:
        call()
    finally:
        sys.settrace(former)
    return executed
