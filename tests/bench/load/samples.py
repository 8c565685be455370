"""The parts of results that look like those of real runs."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from bench.load.histogram import Histogram as Counters
from bench.load.plan import Scenario
from bench.load.result import (
    SCHEMA_VERSION,
    Check,
    Client,
    Figures,
    Histogram,
    Machine,
    Ratio,
    Resources,
    Result,
    Second,
    TargetResult,
)

MS = 1e6
MACHINE = Machine(
    processor="AMD EPYC 7B13",
    cores=2,
    memory_gib=7.8,
    kernel="Linux 6.1.0-18-cloud-amd64",
    python="CPython 3.11.7",
)


def histogram(rng: random.Random, count: int, median_ns: float, tail: float = 1.0) -> Histogram:
    """Make a log-normal body with one value in a hundred much later."""
    counters = Counters()
    for _ in range(count):
        value = median_ns * rng.lognormvariate(0, 0.25)
        if rng.random() < 0.01:
            value *= 1 + tail * rng.expovariate(0.7)
        counters.record(int(value))
    return counters.result()


def client(*, invalid: str | None = None, shed: int = 0) -> Client:
    return Client(
        processes=2,
        cpu_share=0.93 if invalid else 0.31,
        lag_p99_ns=84_000,
        shed=shed,
        invalid=invalid,
    )


def resources(cpu_us: float, *, per_chunk: float | None = None, mib: float = 60.0) -> Resources:
    return Resources(
        cpu_us_per_request=cpu_us,
        cpu_us_per_chunk=per_chunk,
        cpu_share=min(cpu_us * 500 / 1e6, 1.0),
        pss_mib_start=mib,
        pss_mib_max=mib * 1.2,
        kib_per_stream=None if per_chunk is None else 11.3,
        descriptors_max=212,
    )


def timeline(
    rng: random.Random, seconds: int, rate: float, median_ns: float, failed: float
) -> list[Second]:
    found = []
    for at in range(seconds):
        bad = sum(rng.random() < failed for _ in range(int(rate)))
        p50 = median_ns * rng.uniform(0.95, 1.08)
        p99 = p50 * rng.uniform(1.7, 2.6) * (3 if at == seconds // 2 else 1)
        found.append(
            Second(
                at_s=at,
                started=int(rate),
                ok=int(rate) - bad,
                failed=bad,
                e2e_p50_ns=int(p50),
                e2e_p99_ns=int(p99),
            )
        )
    return found


def figures(
    seed: int,
    *,
    median_ns: float,
    rate: float = 500.0,
    seconds: int = 10,
    errors: dict[str, int] | None = None,
    taken: Resources | None = None,
    streams: bool = False,
    goodput: float | None = None,
    load: Client | None = None,
) -> Figures:
    """Make all of one block."""
    rng = random.Random(seed)
    started = int(rate * seconds)
    errors = errors or {}
    ok = started - sum(errors.values())
    shapes = {"e2e": (ok, median_ns), "lag": (started, 22_000.0)}
    if streams:
        shapes |= {
            "ttft": (ok, median_ns * 0.12),
            "itl": (ok * 8, median_ns * 0.009),
            "tpot": (ok, median_ns * 0.009),
            "chunk_overhead": (ok * 8, 118_000.0),
        }
    else:
        shapes["overhead"] = (ok, median_ns * 0.7)
    return Figures(
        seconds=float(seconds),
        started=started,
        ok=ok,
        left=0,
        errors=errors,
        requests_per_s=ok / seconds,
        tokens_per_s=ok * 100 / seconds if streams else 0.0,
        chunks=ok * 100 if streams else 0,
        goodput=goodput,
        histograms={
            name: histogram(rng, count, median) for name, (count, median) in shapes.items()
        },
        timeline=timeline(rng, seconds, rate, median_ns, sum(errors.values()) / started),
        resources=taken,
        client=load or client(),
    )


def target(name: str, blocks: list[Figures], **more) -> TargetResult:
    """Make a target whose total is its first block's figures, with counts of all."""
    first = blocks[0]
    errors: dict[str, int] = {}
    for block in blocks:
        for kind, count in block.errors.items():
            errors[kind] = errors.get(kind, 0) + count
    total = msgspec.structs.replace(
        first,
        seconds=sum(block.seconds for block in blocks),
        started=sum(block.started for block in blocks),
        ok=sum(block.ok for block in blocks),
        errors=errors,
    )
    return TargetResult(
        name=name,
        url="http://127.0.0.1:8000/v1",
        model="gpt-4o-mini",
        blocks=blocks,
        total=total,
        **more,
    )


def result(
    targets: list[TargetResult],
    *,
    scenario: Scenario,
    ratios: Sequence[Ratio] = (),
    checks: Sequence[Check] = (),
) -> Result:
    options = " ".join(f"-t {t.name}={t.url}" for t in targets)
    return Result(
        schema_version=SCHEMA_VERSION,
        bench_version="0.1.0",
        git_commit="4fb4c6c1d2e3",
        started_at="2026-11-26T15:00:00Z",
        seed=1,
        machine=MACHINE,
        scenario=msgspec.to_builtins(scenario),
        command=f"scripts/bench load {scenario.name} {options} --blocks 4 --seed 1",
        targets=targets,
        ratios=list(ratios),
        checks=list(checks),
    )


def ratio(target: str, baseline: str, figure: str, value: float, spread: float = 0.04) -> Ratio:
    return Ratio(
        target=target,
        baseline=baseline,
        figure=figure,
        ratio=value,
        low=value * (1 - spread),
        high=value * (1 + 1.3 * spread),
    )
