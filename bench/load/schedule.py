"""When requests are to be sent: computed from a seed before a run, the same for every target."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from bench.load.plan import Arrivals, Stage


def arrival_times_s(arrivals: Arrivals, stages: Sequence[Stage], seed: int) -> list[float]:
    """Return the rising send times, in seconds from the start of the first stage.

    Constant: evenly spaced, the first at 0. Poisson: independent exponential gaps. Both go on
    from one stage to the next without a jump, and a stage of rate 0 is a pause. Closed loop: none,
    since there the answers set the pace.
    """
    if arrivals == "closed":
        return []
    gaps = _even() if arrivals == "constant" else _exponential(random.Random(seed))
    times: list[float] = []
    begin_s = 0.0
    wait = next(gaps)  # in expected arrivals: a rate turns it into seconds
    for stage in stages:
        passed = 0.0
        expected = stage.rate * stage.seconds
        while passed + wait < expected:
            passed += wait
            times.append(begin_s + passed / stage.rate)
            wait = next(gaps)
        wait -= expected - passed
        begin_s += stage.seconds
    return times


def rate_at(stages: Sequence[Stage], at_s: float) -> float:
    """Return the planned rate at a moment; before the first stage its rate, after the last 0."""
    end_s = 0.0
    for stage in stages:
        end_s += stage.seconds
        if at_s < end_s:
            return stage.rate
    return 0.0


def _even() -> Iterator[float]:
    yield 0.0
    while True:
        yield 1.0


def _exponential(dice: random.Random) -> Iterator[float]:
    while True:
        yield dice.expovariate(1.0)
