"""What load processes count, and how the counts of several become one."""

from __future__ import annotations

from array import array
from typing import Self

import msgspec

from bench.load.histogram import Histogram
from bench.load.result import METRICS


class Beat(msgspec.Struct, tag=True):
    """A look at a load process; the times are those answered since the last one."""

    started: int
    ok: int
    failed: int
    under_way: int
    e2e_ns: list[int]


class SecondCounts(msgspec.Struct):
    """Measured requests by the second of their intended send time."""

    started: int = 0
    ok: int = 0
    failed: int = 0
    e2e_ns: bytes = b""
    """An array of 64-bit numbers."""


class Passed(msgspec.Struct):
    """What came in within one second, whenever it was asked for: warm-up's requests too."""

    requests: int = 0
    """Ended well."""
    chunks: int = 0
    tokens: int = 0


class Tally(msgspec.Struct, tag=True):
    """All that was measured in one block."""

    started: int = 0
    ok: int = 0
    left: int = 0
    shed: int = 0
    judged: int = 0
    """Requests that goodput is a share of."""
    good: int = 0
    chunks: int = 0
    tokens: int = 0
    streams_max: int = 0
    """Open at the same time."""
    last_end_s: float = 0.0
    """When the last measured request ended."""
    cpu_share: float = 0.0
    """Of one core; of several processes: the busiest."""
    errors: dict[str, int] = {}
    said: dict[str, str] = {}
    """Class of error to the first one's code and message."""
    histograms: dict[str, str] = {}
    """Metric to HdrHistogram V2."""
    maxima_ns: dict[str, int] = {}
    """Metric to its exact maximum, which the histogram knows to 3 digits."""
    seconds: list[SecondCounts] = []
    passed: list[Passed] = []

    def histogram(self, metric: str) -> Histogram:
        """Return one metric's distribution; empty if nothing was recorded."""
        if metric not in self.histograms:
            return Histogram()
        found = Histogram.decode(self.histograms[metric])
        found.max_ns = self.maxima_ns[metric]
        return found

    def keep(self, metric: str, values: Histogram) -> None:
        """Put a metric's distribution in; an empty one is left out."""
        if values.max_ns or values.count:
            self.histograms[metric] = values.encode()
            self.maxima_ns[metric] = values.max_ns

    @classmethod
    def merged(cls, parts: list[Self], *, same_time: bool) -> Self:
        """Return the sum: of processes at the same time, or of blocks one after another."""
        whole = cls()
        for part in parts:
            for name in ("started", "ok", "left", "shed", "judged", "good", "chunks", "tokens"):
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
            for kind, count in part.errors.items():
                whole.errors[kind] = whole.errors.get(kind, 0) + count
            whole.said = part.said | whole.said
        streams = [part.streams_max for part in parts]
        whole.streams_max = sum(streams) if same_time else max(streams, default=0)
        whole.last_end_s = max((part.last_end_s for part in parts), default=0.0)
        whole.cpu_share = max((part.cpu_share for part in parts), default=0.0)
        for metric in METRICS:
            values = Histogram()
            for part in parts:
                values.merge(part.histogram(metric))
            whole.keep(metric, values)
        for part in parts:
            _add_seconds(whole, part, 0 if same_time else len(whole.seconds))
        return whole


def _add_seconds(whole: Tally, part: Tally, offset: int) -> None:
    while len(whole.seconds) < offset + len(part.seconds):
        whole.seconds.append(SecondCounts())
        whole.passed.append(Passed())
    for index, second in enumerate(part.seconds):
        into = whole.seconds[offset + index]
        into.started += second.started
        into.ok += second.ok
        into.failed += second.failed
        into.e2e_ns += second.e2e_ns
    for index, passed in enumerate(part.passed):
        sums = whole.passed[offset + index]
        sums.requests += passed.requests
        sums.chunks += passed.chunks
        sums.tokens += passed.tokens


def ordered_ns(packed: bytes) -> list[int]:
    """Return the packed times, sorted."""
    return sorted(array("q", packed))
