"""Measure the CPU time of the chain."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence

import msgspec

from bench.optimizer.figures import Time
from korad.domain.chat import ChatRequest
from korad.optimizer import NO_CACHE_POLICY, Chain

LARGE_BYTES_MIN = 8_192
"""Smaller prompts say nothing about time per 100 KB: what every request costs outweighs it."""
_COLD_RUNS = 2
_WARM_RUNS = 3
_UNIT_BYTES = 100_000
_NS_PER_MS = 1_000_000


class Sample(msgspec.Struct, frozen=True):
    """The times of one request."""

    request_bytes: int
    cold_ns: int
    warm_ns: int


def measure(new_chain: Callable[[], Chain], request: ChatRequest, level: str) -> Sample:
    """Return the least CPU time of some runs: with a chain that knows nothing, and again.

    The garbage collector rests meanwhile; a worker runs it rarely.
    """
    colds, warms = [], []
    gc.disable()
    try:
        for _ in range(_COLD_RUNS):
            chain = new_chain()
            colds.append(_run_ns(chain, request, level))
        warms = [_run_ns(chain, request, level) for _ in range(_WARM_RUNS)]
    finally:
        gc.enable()
    return Sample(request_bytes=len(request.raw), cold_ns=min(colds), warm_ns=min(warms))


def summary(samples: Sequence[Sample]) -> Time:
    """Return the percentiles over requests."""
    large = [one for one in samples if one.request_bytes >= LARGE_BYTES_MIN]

    def told(name: str, values_ns: list[float]) -> dict[str, float | None]:
        return {
            f"{name}_p50": _percentile_ms(values_ns, 50),
            f"{name}_p99": _percentile_ms(values_ns, 99),
        }

    return Time(
        requests=len(samples),
        large_requests=len(large),
        **told("cold_ms", [one.cold_ns for one in samples]),
        **told("warm_ms", [one.warm_ns for one in samples]),
        **told(
            "cold_ms_per_100_kb", [one.cold_ns * _UNIT_BYTES / one.request_bytes for one in large]
        ),
        **told(
            "warm_ms_per_100_kb", [one.warm_ns * _UNIT_BYTES / one.request_bytes for one in large]
        ),
    )


def _run_ns(chain: Chain, request: ChatRequest, level: str) -> int:
    start = time.thread_time_ns()
    chain.run(request, level, NO_CACHE_POLICY)
    return time.thread_time_ns() - start


def _percentile_ms(values_ns: Sequence[float], percent: int) -> float | None:
    if not values_ns:
        return None
    at = max(0, math.ceil(percent / 100 * len(values_ns)) - 1)
    return round(sorted(values_ns)[at] / _NS_PER_MS, 4)
