"""The shape of `result.json`, the one thing that table, report, checks and comparison read.

Latencies are in whole nanoseconds, measured from the intended send time.
"""

from __future__ import annotations

import msgspec

SCHEMA_VERSION = 1

METRICS = ("e2e", "ttft", "itl", "tpot", "overhead", "chunk_overhead", "lag")
"""Keys of `Figures.histograms`. e2e: to the last byte. ttft: to the first chunk with text. itl:
between two chunks with text. tpot: (e2e - ttft) / (tokens - 1). overhead: e2e less the provider's
own service time. chunk_overhead: from the moment the stand-in wrote a chunk to its arrival. lag:
from the intended to the real send time."""


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Of one metric, in nanoseconds."""

    count: int
    mean_ns: float
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """One metric's distribution."""

    percentiles: Percentiles
    hdr: str
    """HdrHistogram V2, compressed, base64: other tools read and merge it."""


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the timeline, by intended send time."""

    at_s: int
    started: int
    ok: int
    failed: int
    e2e_p50_ns: int
    e2e_p99_ns: int


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What the target's process tree took while requests were measured."""

    cpu_us_per_request: float
    cpu_us_per_chunk: float | None
    """None: nothing was streamed."""
    cpu_share: float
    """Of one core."""
    pss_mib_start: float
    pss_mib_max: float
    kib_per_stream: float | None
    """Memory beyond the start's, per stream open at the most; None: fewer than 100 were open."""
    descriptors_max: int
    cpu_us_per_request_by_second: list[float] = []
    """The same by the second, for the seconds in which requests ended: a ratio's interval."""
    cpu_us_per_chunk_by_second: list[float] = []


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What limited the load itself, if anything did."""

    processes: int
    cpu_share: float
    """Of the busiest load process, of one core."""
    lag_p99_ns: int
    shed: int
    invalid: str | None
    """Why the figures must not be used; None: they may."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one target did in one block, or in all of them."""

    seconds: float
    started: int
    ok: int
    left: int
    """Clients that left as planned."""
    errors: dict[str, int]
    """Class ("status 429", "reset", "refused", "timeout", "bad body", "cut stream") to count."""
    requests_per_s: float
    """Completed well."""
    tokens_per_s: float
    chunks: int
    goodput: float | None
    """Share of requests that kept the scenario's SLO; None: it has none."""
    histograms: dict[str, Histogram]
    timeline: list[Second]
    resources: Resources | None
    client: Client
    said: dict[str, str] = {}
    """Class of error to code and message of the first one whose answer told any."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One rate of a ladder."""

    rate: float
    figures: Figures
    kept: bool
    """Goodput was enough and the client was not the limit."""


class TargetResult(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured of one target."""

    name: str
    url: str
    model: str
    blocks: list[Figures]
    """In the order they were run."""
    total: Figures
    """The blocks merged."""
    ladder: list[Rung] = []
    knee_rate: float | None = None
    """The highest rate kept; None: no ladder, or not even the first."""


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a target over the first target's, with its bootstrap 95 % interval."""

    target: str
    baseline: str
    figure: str
    """As in checks: "cpu_us_per_request", "overhead_p99_ms", ..."""
    ratio: float
    low: float
    high: float


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One `--check` and what became of it."""

    text: str
    target: str
    value: float | None
    passed: bool


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was run."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    schema_version: int
    bench_version: str
    git_commit: str
    started_at: str
    """RFC 3339, UTC."""
    seed: int
    machine: Machine
    scenario: dict[str, object]
    """The scenario as it was run, defaults filled in."""
    command: str
    """The command line without keys."""
    targets: list[TargetResult]
    ratios: list[Ratio]
    checks: list[Check]
