"""Figures have names; ratios have intervals that hold what is known of the data."""

from __future__ import annotations

import random

import pytest

from bench.load.histogram import Histogram
from bench.load.result import Client, Figures, Resources, Rung, Second, TargetResult
from bench.load.statistics import RATIO_FIGURES, figure, interval, quantile_drawer, ratios

CLIENT = Client(processes=1, cpu_share=0.5, lag_p99_ns=1, shed=0, invalid=None)


def figures_of(scale: float, seed: int, *, count: int = 2_000) -> Figures:
    """Return figures of requests that take `scale` ms and cost 100 `scale` us, give or take."""
    dice = random.Random(seed)
    e2e = Histogram()
    for _ in range(count):
        e2e.record(int(dice.lognormvariate(0, 0.3) * scale * 1_000_000))
    costs = [100 * scale * dice.uniform(0.9, 1.1) for _ in range(10)]
    resources = Resources(
        cpu_us_per_request=sum(costs) / len(costs),
        cpu_us_per_chunk=None,
        cpu_share=0.2,
        pss_mib_start=10.0,
        pss_mib_max=12.0,
        kib_per_stream=None,
        descriptors_max=9,
        cpu_us_per_request_by_second=costs,
    )
    return Figures(
        seconds=10.0,
        started=count + 5,
        ok=count,
        left=1,
        errors={"reset": 3, "timeout": 1},
        requests_per_s=count / 10,
        tokens_per_s=0.0,
        chunks=0,
        goodput=None,
        histograms={"e2e": e2e.result()},
        timeline=[
            Second(at_s=s, started=200, ok=200, failed=0, e2e_p50_ns=1, e2e_p99_ns=2)
            for s in range(10)
        ],
        resources=resources,
        client=CLIENT,
    )


def result_of(name: str, scale: float, seed: int, **changes) -> TargetResult:
    blocks = [figures_of(scale, seed + number) for number in range(3)]
    values = {"name": name, "url": "", "model": "", "blocks": blocks, "total": blocks[0]} | changes
    return TargetResult(**values)


def test_figures_by_name():
    figures = figures_of(2.0, 1)
    e2e = figures.histograms["e2e"].percentiles

    assert figure(figures, "e2e_p99_ms") == e2e.p99_ns / 1e6
    assert figure(figures, "e2e_p999_us") == e2e.p999_ns / 1e3
    assert figure(figures, "e2e_mean_s") == e2e.mean_ns / 1e9
    assert figure(figures, "ttft_p90_us") is None
    assert figure(figures, "errors") == 4
    assert figure(figures, "goodput") is None
    assert figure(figures, "descriptors_max") == 9
    assert figure(figures, "cpu_us_per_chunk") is None
    assert figure(figures, "client_cpu_share") == 0.5


@pytest.mark.parametrize("name", ["e2e", "e2e_p98_ms", "latency_p99_ms", "client", "resources", ""])
def test_unknown_names_are_errors(name):
    with pytest.raises(KeyError):
        figure(figures_of(1.0, 1, count=10), name)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_interval_holds_the_known_ratio_and_is_narrow(factor):
    found = ratios([result_of("a", 1.0, 10), result_of("b", factor, 20)], seed=1)

    assert {"cpu_us_per_request", "requests_per_s", "e2e_p50_ms", "e2e_p99_ms"} == {
        each.figure for each in found
    }
    for each in found:
        known = 1.0 if each.figure == "requests_per_s" else factor
        assert (each.target, each.baseline) == ("b", "a")
        assert each.low <= each.ratio <= each.high
        assert each.low * 0.99 <= known <= each.high * 1.01
        assert each.high / each.low < 1.4


def test_the_interval_covers_about_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        dice = random.Random(seed)
        values = Histogram()
        for _ in range(500):
            values.record(int(dice.uniform(0, 1_000_000)))
        draw = quantile_drawer([values], 0.5, dice)
        low, high = interval([draw([0]) for _ in range(300)])
        covered += low <= 500_000 <= high

    assert 88 <= covered <= 99


def test_the_seed_decides():
    results = [result_of("a", 1.0, 10), result_of("b", 1.5, 20)]

    assert ratios(results, seed=1) == ratios(results, seed=1)
    assert ratios(results, seed=1) != ratios(results, seed=2)


def test_one_target_or_a_ladder_has_no_ratio():
    rung = Rung(rate=1.0, figures=figures_of(1.0, 1, count=10), kept=True)

    assert ratios([result_of("a", 1.0, 1)], seed=1) == []
    assert ratios([result_of("a", 1.0, 1), result_of("b", 1.0, 1, ladder=[rung])], seed=1) == []


def test_the_named_ratios_are_figures():
    for name in RATIO_FIGURES:
        figure(figures_of(1.0, 1, count=10), name)
