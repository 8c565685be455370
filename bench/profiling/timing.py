"""How long functions take: cProfile's figures, the C functions a function calls being its own."""

from __future__ import annotations

import cProfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from bench.micro.statistics import median
from bench.profiling.profile import Function, function_of

_BENCH = str(Path(__file__).parents[1])
_US = 1e6
_NS_PER_US = 1_000
_SPELL_S = 0.1
_TURNS_MIN = 3

Ask = Callable[[], Awaitable[object]]


class Times(NamedTuple):
    """Per request, in us."""

    functions: dict[Function, float]
    """Function to its own time and that of the C functions it calls; too long where functions are
    short, because each call is written down."""
    cpu_us: float
    """Of the thread, without a profiler: how much more with korad than without."""
    requests: int
    """While the profiler was at work."""


async def times_of(ask: Ask, ask_directly: Ask, *, seconds: float) -> Times:
    """Return the times of what is asked through korad.

    In turns: through korad, without it, through korad with the profiler. The medians of the turns
    leave out those in which something else took the processor.
    """
    differences: list[float] = []
    profiled: list[dict[Function, float]] = []
    requests = 0
    ends_ns = time.perf_counter_ns() + round(seconds * 1e9)
    while len(differences) < _TURNS_MIN or time.perf_counter_ns() < ends_ns:
        through, directly = await _spell(ask), await _spell(ask_directly)
        differences.append(through.cpu_us - directly.cpu_us)
        profile = cProfile.Profile()
        profile.enable()
        try:
            asked = (await _spell(ask)).requests
        finally:
            profile.disable()
        profiled.append(_by_function(profile, asked))
        requests += asked
    functions = {function for turn in profiled for function in turn}
    typical = {
        function: median([turn.get(function, 0.0) for turn in profiled]) for function in functions
    }
    return Times(typical, median(differences), requests)


class _Spell(NamedTuple):
    cpu_us: float
    requests: int


async def _spell(ask: Ask) -> _Spell:
    """Ask for some time; return the thread's CPU time per request."""
    ends_ns = time.perf_counter_ns() + round(_SPELL_S * 1e9)
    start_ns, asked = time.thread_time_ns(), 0
    while not asked or time.perf_counter_ns() < ends_ns:
        await ask()
        asked += 1
    return _Spell((time.thread_time_ns() - start_ns) / asked / _NS_PER_US, asked)


def _by_function(profile: cProfile.Profile, requests: int) -> dict[Function, float]:
    times: dict[Function, float] = defaultdict(float)
    for entry in profile.getstats():
        code = entry.code
        if not isinstance(code, CodeType) or code.co_filename.startswith(_BENCH):
            continue
        own = entry.inlinetime
        for callee in entry.calls or ():
            if not isinstance(callee.code, CodeType):
                own += callee.inlinetime
        times[function_of(code)] += own / requests * _US
    return dict(times)
