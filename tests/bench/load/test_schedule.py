"""Schedules: the right number, the right law, the same for the same seed."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given, strategies as st

from bench.load.plan import Stage
from bench.load.schedule import arrival_times_s, rate_at

STEADY = (Stage(seconds=20.0, rate=500.0),)
BURST = (
    Stage(seconds=10.0, rate=100.0),
    Stage(seconds=5.0, rate=0.0),
    Stage(seconds=5.0, rate=1_000.0),
)


def test_constant_arrivals_are_evenly_spaced_over_the_stages():
    stages = (Stage(seconds=1.0, rate=4.0), Stage(seconds=1.0, rate=2.0))

    assert [0.0, 0.25, 0.5, 0.75, 1.0, 1.5] == arrival_times_s("constant", stages, 1)


def test_poisson_gaps_are_exponential():
    gaps = [after - before for before, after in pairwise(arrival_times_s("poisson", STEADY, 7))]

    assert fmean(gaps) == pytest.approx(1 / 500, rel=0.05)
    assert pstdev(gaps) == pytest.approx(1 / 500, rel=0.05)  # equal to the mean, as no other law's
    assert sum(gap > 1 / 500 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_stages_have_their_own_rates():
    times = arrival_times_s("poisson", BURST, 3)

    assert sum(at_s < 10 for at_s in times) == pytest.approx(1_000, rel=0.15)
    assert not [at_s for at_s in times if 10 <= at_s < 15]
    assert sum(at_s >= 15 for at_s in times) == pytest.approx(5_000, rel=0.1)


@given(st.integers(), st.sampled_from(["constant", "poisson"]))
def test_times_rise_and_stay_within_the_stages(seed, arrivals):
    times = arrival_times_s(arrivals, BURST, seed)

    assert sorted(times) == times
    assert 0 <= times[0] <= times[-1] < 20


def test_the_seed_decides():
    assert arrival_times_s("poisson", STEADY, 1) == arrival_times_s("poisson", STEADY, 1)
    assert arrival_times_s("poisson", STEADY, 1) != arrival_times_s("poisson", STEADY, 2)


def test_a_closed_loop_has_no_schedule():
    assert arrival_times_s("closed", STEADY, 1) == []


def test_the_planned_rate_at_a_moment():
    assert [100, 100, 0, 1_000, 0] == [rate_at(BURST, at) for at in (-1, 9.9, 10, 15, 20)]
