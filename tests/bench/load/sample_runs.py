"""Results that look like those of real runs, for tests of what reads them."""

from __future__ import annotations

import msgspec

from bench.load.plan import Answers, Clients, Ladder, Scenario, Slo, Stage
from bench.load.result import Check, Result, Rung
from tests.bench.load.samples import (
    MS,
    client,
    figures,
    ratio,
    resources,
    result,
    target,
)

STEADY = Scenario(
    name="steady",
    summary="500 small requests a second, Poisson",
    stages=(Stage(seconds=10.0, rate=500.0),),
)


def one_target() -> Result:
    blocks = [figures(3, median_ns=0.42 * MS, taken=resources(94.2), goodput=0.9994)]
    return result(
        [target("korad", blocks)],
        scenario=msgspec.structs.replace(STEADY, slo=Slo(e2e_ms=5.0)),
        checks=[
            Check(text="overhead_p99_ms<=2", target="korad", value=0.61, passed=True),
            Check(text="cpu_us_per_request<=80", target="korad", value=94.2, passed=False),
        ],
    )


def two_targets() -> Result:
    """Make direct, nginx and korad, so that a third one has ratios too."""
    made = [
        target("direct", [figures(n, median_ns=0.106 * MS) for n in (1, 2)]),
        target(
            "nginx",
            [figures(n, median_ns=0.31 * MS, taken=resources(30.4, mib=12)) for n in (3, 4)],
        ),
        target("korad", [figures(n, median_ns=0.40 * MS, taken=resources(94.2)) for n in (5, 6)]),
    ]
    return result(
        made,
        scenario=STEADY,
        ratios=[
            ratio("nginx", "direct", "e2e_p50_ms", 2.95),
            ratio("nginx", "direct", "e2e_p99_ms", 3.3, 0.2),
            ratio("nginx", "direct", "requests_per_s", 1.0, 0.004),
            ratio("korad", "direct", "e2e_p50_ms", 3.79),
            ratio("korad", "direct", "e2e_p99_ms", 4.1, 0.2),
            ratio("korad", "direct", "requests_per_s", 1.0, 0.004),
        ],
        checks=[
            Check(text="korad:overhead_p99_ms<=2", target="korad", value=0.61, passed=True),
            Check(text="errors==0", target="nginx", value=0.0, passed=True),
        ],
    )


def streams() -> Result:
    made = [
        target(
            name,
            [
                figures(n, median_ns=median * MS, rate=40, streams=True, taken=taken)
                for n in (seed, seed + 1)
            ],
        )
        for name, seed, median, taken in (
            ("nginx", 10, 1010.0, resources(3_280.0, per_chunk=32.8, mib=14)),
            ("korad", 20, 1013.0, resources(4_220.0, per_chunk=42.2, mib=61)),
        )
    ]
    return result(
        made,
        scenario=Scenario(
            name="streams",
            summary="Streams of 100 chunks, 10 ms apart",
            stages=(Stage(seconds=10.0, rate=40.0),),
            answers=Answers(interval_s=0.01),
            clients=Clients(stream=1.0, connections=5_000),
            levels={"off": 1.0, "medium": 3.0},
        ),
        ratios=[
            ratio("korad", "nginx", "cpu_us_per_chunk", 1.29, 0.02),
            ratio("korad", "nginx", "chunk_overhead_p50_us", 1.12, 0.03),
            ratio("korad", "nginx", "chunk_overhead_p99_us", 1.17, 0.08),
            ratio("korad", "nginx", "ttft_p99_ms", 1.01, 0.03),
            ratio("korad", "nginx", "kib_per_stream", 0.8, 0.05),
        ],
    )


def ladder() -> Result:
    rates = [100 * 1.5**n for n in range(12)]
    made = []
    for name, knee, median, seed, cpu in (
        ("nginx", 5_000.0, 0.3, 40, 26.0),
        ("korad", 2_000.0, 0.4, 60, 81.0),
    ):
        rungs = []
        for n, rate in enumerate(rates):
            over = max(rate / knee - 1, 0)
            share = 1.0 if not over else max(1 - 0.7 * over, 0.05)
            slow = median * MS * (1 + (rate / knee) ** 4 * 2)
            found = figures(
                seed + n,
                median_ns=slow,
                rate=rate / 10,
                seconds=5,
                goodput=share,
                taken=resources(cpu),
            )
            found = msgspec.structs.replace(found, requests_per_s=min(rate, knee * 1.05))
            rungs.append(Rung(rate=rate, figures=found, kept=share >= 0.99))
        kept = [rung.rate for rung in rungs if rung.kept]
        blocks = [rungs[-1].figures]
        made.append(target(name, blocks, ladder=rungs, knee_rate=max(kept)))
    return result(
        made,
        scenario=Scenario(
            name="ladder",
            summary="Rates rise until requests are late",
            slo=Slo(e2e_ms=10.0),
            ladder=Ladder(start=100.0),
        ),
    )


def invalid() -> Result:
    reason = "the load was late: schedule lag p99 4.2 ms (at most 1 ms)"
    blocks = [figures(7, median_ns=0.42 * MS, load=client(invalid=reason, shed=1_204))]
    return result(
        [target("korad", blocks)],
        scenario=STEADY,
        checks=[Check(text="ttft_p99_ms<=2", target="korad", value=None, passed=False)],
    )


def many_errors() -> Result:
    errors = {
        "status 429": 611,
        "status 502": 88,
        "reset": 41,
        "timeout": 305,
        "cut stream": 3,
        "refused": 1,
    }
    korad = figures(9, median_ns=0.45 * MS, errors=errors, taken=resources(94.2))
    said = {"status 429": "budget_exceeded: a <key> has spent it"}
    made = [
        target("direct", [figures(8, median_ns=0.11 * MS)]),
        target("korad", [msgspec.structs.replace(korad, said=said)]),
        target(
            "litellm",
            [
                figures(
                    11,
                    median_ns=26 * MS,
                    errors={"status 500": 9},
                    taken=resources(14_606, mib=420),
                )
            ],
        ),
    ]
    return result(
        made,
        scenario=msgspec.structs.replace(STEADY, name="faults"),
        ratios=[
            ratio("korad", "direct", "e2e_p99_ms", 4.1, 0.1),
            ratio("litellm", "direct", "e2e_p50_ms", 236.0, 0.1),
            ratio("litellm", "direct", "e2e_p99_ms", 310.0, 0.3),
        ],
    )


LONG_NAMES = (
    "the-reference-gateway-in-the-other-building",
    'korad with <everything> & its "billing" on, two workers, level medium',
    "網關測試目標東京",
    "a",
    "another-gateway-without-a-single-space-in-its-name-0123456789",
)


def long_names() -> Result:
    made = [
        target(
            name,
            [
                figures(
                    30 + n, median_ns=(0.2 + 0.03 * n) * MS, rate=100, taken=resources(40 + 9 * n)
                )
            ],
        )
        for n, name in enumerate(LONG_NAMES)
    ]
    base = LONG_NAMES[0]
    return result(
        made,
        scenario=msgspec.structs.replace(STEADY, name="names & <such>"),
        ratios=[ratio(name, base, "cpu_us_per_request", 1.2) for name in LONG_NAMES[1:]],
        checks=[
            Check(text="errors==0", target=name, value=0.0, passed=True) for name in LONG_NAMES
        ],
    )


def nothing() -> Result:
    """Make a run in which no request was answered and nothing was sampled."""
    none = figures(1, median_ns=MS, rate=0.2, seconds=5)
    none = msgspec.structs.replace(
        none, ok=0, requests_per_s=0.0, errors={"refused": 1}, histograms={}, timeline=[]
    )
    return result([target("korad", [none])], scenario=STEADY)


ALL = {
    "one_target": one_target,
    "two_targets": two_targets,
    "streams": streams,
    "ladder": ladder,
    "invalid": invalid,
    "many_errors": many_errors,
    "long_names": long_names,
    "nothing": nothing,
}
