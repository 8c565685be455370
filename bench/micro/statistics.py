"""Medians, spreads, and ratios with a bootstrap interval."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

_DRAWS = 2_000
_LOW, _HIGH = 0.025, 0.975


class Summary(NamedTuple):
    """Of one benchmark's samples, in ns per operation."""

    median: float
    least: float
    spread: float
    """Half the distance of the quartiles over the median."""


class Interval(NamedTuple):
    """A ratio and what it may be as well, with 95 % confidence."""

    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether equality lies outside."""
        return not self.low <= 1.0 <= self.high


def median(values: Sequence[float]) -> float:
    """Return the middle of some values, at least one."""
    return quantile(values, 0.5)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of them lie, interpolated."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def summary(samples: Sequence[float]) -> Summary:
    """Return what a table tells of some samples, at least one."""
    middle = median(samples)
    half = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2
    return Summary(middle, min(samples), half / middle if middle else 0.0)


def ratio_of_pairs(pairs: Sequence[tuple[float, float]], *, seed: int) -> Interval:
    """Return what the second of each pair is of the first: the median, and a bootstrap interval.

    A pair was measured one right after the other; pairs are drawn again, not single values.
    """
    ratios = [second / first for first, second in pairs]
    draw = random.Random(seed)
    drawn = [median(draw.choices(ratios, k=len(ratios))) for _ in range(_DRAWS)]
    return Interval(median(ratios), quantile(drawn, _LOW), quantile(drawn, _HIGH))
