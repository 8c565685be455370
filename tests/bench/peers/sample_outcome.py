"""A made-up comparison: korad at 2.5 x nginx, Portkey slower, LiteLLM not installed."""

from __future__ import annotations

from bench.load.result import (
    Client,
    Figures,
    Histogram,
    Machine,
    Percentiles,
    Ratio,
    Resources,
    TargetResult,
)
from bench.peers.outcome import CaseResult, Outcome, PeerNote, Workers

US = 1_000
CPU_US = {"nginx": 20.0, "korad": 50.0, "Portkey": 2_000.0, "direct": None}


def percentiles(p50_us: int) -> Histogram:
    return Histogram(
        percentiles=Percentiles(
            count=100,
            mean_ns=float(p50_us * US),
            p50_ns=p50_us * US,
            p90_ns=2 * p50_us * US,
            p99_ns=3 * p50_us * US,
            p999_ns=4 * p50_us * US,
            max_ns=5 * p50_us * US,
        ),
        hdr="",
    )


def figures(cpu_us: float | None, p50_us: int = 100, invalid: str | None = None) -> Figures:
    resources = cpu_us and Resources(
        cpu_us_per_request=cpu_us,
        cpu_us_per_chunk=cpu_us / 10,
        cpu_share=0.5,
        pss_mib_start=10.0,
        pss_mib_max=20.0,
        kib_per_stream=12.5,
        descriptors_max=100,
    )
    return Figures(
        seconds=2.0,
        started=1000,
        ok=998,
        left=0,
        errors={"reset": 2},
        requests_per_s=500.0,
        tokens_per_s=0.0,
        chunks=20_000,
        goodput=None,
        histograms={"e2e": percentiles(p50_us), "chunk_overhead": percentiles(p50_us)},
        timeline=[],
        resources=resources or None,
        client=Client(processes=1, cpu_share=0.4, lag_p99_ns=1, shed=0, invalid=invalid),
    )


def result(name: str, cpu_us: float | None, p50_us: int = 100) -> TargetResult:
    one = figures(cpu_us, p50_us)
    return TargetResult(name=name, url="http://127.0.0.1:1/v1", model="m", blocks=[one], total=one)


def case(name: str, kind: str) -> CaseResult:
    delay_us = {"direct": 100, "nginx": 300, "korad": 320, "Portkey": 3_000}
    return CaseResult(
        name=name,
        kind=kind,
        title=name,
        scenarios={},
        results=[result(each, CPU_US[each], delay_us[each]) for each in delay_us],
        ratios=[
            Ratio(
                target="korad",
                baseline="nginx",
                figure=figure,
                ratio=2.5,
                low=2.4,
                high=2.6,
            )
            for figure in ("cpu_us_per_request", "cpu_us_per_chunk")
        ],
        parts={"worker": 0.7, "Redis": 0.1, "bookkeeper": 0.2} if kind == "closed" else {},
    )


def note(name: str, skipped: str | None = None) -> PeerNote:
    return PeerNote(
        name=name,
        job=f"the job of {name}",
        version=None if skipped else "1.2.3",
        origin=None if skipped else "PyPI",
        full_load=True,
        skipped=skipped,
    )


def outcome() -> Outcome:
    kinds = {"small": "closed", "8k": "closed", "200k": "closed", "stream": "stream"}
    return Outcome(
        schema_version=1,
        korad_version="0.1.0",
        git_commit="abc",
        started_at="2027-01-31T12:00:00+00:00",
        seconds=120.0,
        seed=5,
        short=True,
        command="scripts/bench peers --short",
        machine=Machine(
            processor="a processor", cores=2, memory_gib=4.0, kernel="Linux 1", python="CPython 3"
        ),
        others_cores=0.1,
        placement="proxy on core 0, provider and load on core 1",
        peers=[
            note("nginx"),
            note("korad"),
            note("Portkey"),
            note("LiteLLM", "`pip install` failed | no net"),
        ],
        cases=[
            case(name, kind)
            for name, kind in (kinds | {"rate": "rate", "memory": "memory"}).items()
        ],
        wrong_keys=0,
        workers=Workers(own_cores=False, one=result("1", 50.0), two=result("2", 55.0), ratios=[]),
    )
