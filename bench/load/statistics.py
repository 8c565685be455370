"""Figures by their names, and ratios of two targets with how sure they are."""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import ceil

from bench.load.histogram import Histogram, highest_ns
from bench.load.result import METRICS, Figures, Ratio, TargetResult

RATIO_FIGURES = (
    "cpu_us_per_request",
    "cpu_us_per_chunk",
    "requests_per_s",
    "e2e_p50_ms",
    "e2e_p99_ms",
    "ttft_p50_ms",
    "ttft_p99_ms",
    "overhead_p50_ms",
    "overhead_p99_ms",
    "chunk_overhead_p50_ms",
    "chunk_overhead_p99_ms",
)
_DRAWS = 1_000
_INTERVAL = (0.025, 0.975)

_UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_LATENCY = re.compile(rf"({'|'.join(METRICS)})_(mean|p50|p90|p99|p999|max)_(ns|us|ms|s)")
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
_RESOURCES = (
    "cpu_us_per_request",
    "cpu_us_per_chunk",
    "cpu_share",
    "pss_mib_start",
    "pss_mib_max",
    "kib_per_stream",
    "descriptors_max",
)
_COUNTS: dict[str, Callable[[Figures], float | None]] = {
    "started": lambda figures: figures.started,
    "ok": lambda figures: figures.ok,
    "left": lambda figures: figures.left,
    "errors": lambda figures: sum(figures.errors.values()),
    "error_share": lambda figures: sum(figures.errors.values()) / max(1, figures.started),
    "requests_per_s": lambda figures: figures.requests_per_s,
    "tokens_per_s": lambda figures: figures.tokens_per_s,
    "chunks": lambda figures: figures.chunks,
    "chunks_per_s": lambda figures: figures.chunks / figures.seconds,
    "goodput": lambda figures: figures.goodput,
    "shed": lambda figures: figures.client.shed,
    "client_cpu_share": lambda figures: figures.client.cpu_share,
}

Draw = Callable[[Sequence[int]], float]
"""Gives a figure of the blocks with these numbers, drawn anew from their samples."""


def figure(figures: Figures, name: str) -> float | None:
    """Return a figure by its name; None: it was not measured.

    Latencies are METRIC_PART_UNIT (`overhead_p99_ms`): `mean`, `p50`, `p90`, `p99`, `p999` or
    `max`, in `ns`, `us`, `ms` or `s`. The others are the names of `Figures`' and `Resources`'
    numbers, `error_share`, `chunks_per_s`, `shed` and `client_cpu_share`. Raises `KeyError` for
    any other name.
    """
    if name in _COUNTS:
        return _COUNTS[name](figures)
    if name in _RESOURCES:
        resources = figures.resources
        found: float | None = None if resources is None else getattr(resources, name)
        return found
    parts = _LATENCY.fullmatch(name)
    if parts is None:
        raise KeyError(name)
    metric, part, unit = parts.groups()
    if metric not in figures.histograms:
        return None
    value: float = getattr(figures.histograms[metric].percentiles, f"{part}_ns")
    return value / _UNITS_NS[unit]


def ratios(results: Sequence[TargetResult], *, seed: int) -> list[Ratio]:
    """Return each target's figures over the first target's, with bootstrap 95 % intervals.

    A draw takes blocks with replacement, the same ones of both targets, since blocks of one number
    ran side by side; and within them requests (latencies) or seconds (the others) with
    replacement. From a single block the interval tells of the noise within it only. Ladders
    have none: their blocks are of different rates.
    """
    found: list[Ratio] = []
    for result in results[1:]:
        if result.ladder or results[0].ladder:
            continue
        for name in RATIO_FIGURES:
            one = _ratio(results[0], result, name, random.Random(f"{seed} {result.name} {name}"))
            if one is not None:
                found.append(one)
    return found


def _ratio(
    baseline: TargetResult, result: TargetResult, name: str, dice: random.Random
) -> Ratio | None:
    under, over = figure(baseline.total, name), figure(result.total, name)
    below, above = _drawer(baseline, name, dice), _drawer(result, name, dice)
    if not under or not over or below is None or above is None:
        return None
    blocks = min(len(baseline.blocks), len(result.blocks))
    drawn: list[float] = []
    for _ in range(_DRAWS):
        chosen = sorted(dice.choices(range(blocks), k=blocks))
        divisor = below(chosen)
        if divisor:
            drawn.append(above(chosen) / divisor)
    if not drawn:
        return None
    low, high = interval(drawn)
    return Ratio(
        target=result.name,
        baseline=baseline.name,
        figure=name,
        ratio=over / under,
        low=min(low, over / under),
        high=max(high, over / under),
    )


def interval(drawn: Sequence[float]) -> tuple[float, float]:
    """Return the bounds that the middle 95 % of the draws lie between."""
    ordered = sorted(drawn)
    low, high = (ordered[min(len(ordered) - 1, int(s * len(ordered)))] for s in _INTERVAL)
    return low, high


def _drawer(result: TargetResult, name: str, dice: random.Random) -> Draw | None:
    parts = _LATENCY.fullmatch(name)
    if parts is not None:
        metric = parts[1]
        if not all(metric in block.histograms for block in result.blocks):
            return None
        histograms = [Histogram.decode(block.histograms[metric].hdr) for block in result.blocks]
        return quantile_drawer(histograms, _SHARES[parts[2]], dice)
    samples = [_samples(block, name) for block in result.blocks]
    return mean_drawer(samples, dice) if all(samples) else None


def _samples(figures: Figures, name: str) -> list[float]:
    """Return a figure's values by the second."""
    if name == "requests_per_s":
        return [float(second.ok) for second in figures.timeline]
    if figures.resources is None:
        return []
    values: list[float] = getattr(figures.resources, f"{name}_by_second")
    return values


def mean_drawer(blocks: Sequence[Sequence[float]], dice: random.Random) -> Draw:
    """Draw the mean of samples."""

    def draw(chosen: Sequence[int]) -> float:
        drawn = [
            value for index in chosen for value in dice.choices(blocks[index], k=len(blocks[index]))
        ]
        return sum(drawn) / len(drawn)

    return draw


def quantile_drawer(blocks: Sequence[Histogram], share: float, dice: random.Random) -> Draw:
    """Draw a quantile of all requests of the chosen blocks.

    The quantile of n values drawn with replacement is the value at a rank whose share of n has a
    beta distribution: so one number is drawn in place of n.
    """
    filled = [
        [(index, count) for index, count in enumerate(block.counts) if count] for block in blocks
    ]
    pooled: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}

    def draw(chosen: Sequence[int]) -> float:
        key = tuple(chosen)
        if key not in pooled:
            pooled[key] = _pool([filled[index] for index in chosen])
        indexes, sums = pooled[key]
        count = sums[-1]
        rank = max(1, ceil(share * count))
        place = ceil(dice.betavariate(rank, count - rank + 1) * count)
        return float(highest_ns(indexes[bisect_left(sums, max(1, place))]))

    return draw


def _pool(blocks: Sequence[Sequence[tuple[int, int]]]) -> tuple[list[int], list[int]]:
    """Return the indexes that hold something, rising, and the counts up to each."""
    counts: dict[int, int] = {}
    for block in blocks:
        for index, count in block:
            counts[index] = counts.get(index, 0) + count
    indexes = sorted(counts)
    return indexes, list(accumulate(counts[index] for index in indexes))
