"""The drills, each as short as it can be and still tell something; `scripts/drill` runs them whole.

Those that need long to tell something (soak, clock, slow clients, ...) are left to that script, and
so is whether all is done in time: here many tests share a machine.
"""

from __future__ import annotations

import asyncio

import pytest

from bench.drills.catalogue import DRILLS
from bench.drills.checks import Checks, SkippedError
from bench.drills.scene import Order

ROUNDS = {
    "workers": 4,
    "tree": 1,
    "outage": None,
    "time-travel": 1,
    "replies": 12,
    "departures": 200,
    "upstream": 1,
    "disk": None,
    "torn-start": None,
    "damaged": None,
    "storm": None,
    "rolling": 1,
}
SECONDS = {"outage": 1.0, "disk": 1.0}
RUN = {drill.name: drill.run for drill in DRILLS}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ROUNDS)
def test_every_criterion_of_the_drill_is_kept(name, tmp_path):
    order = Order(
        folder=tmp_path, seed=1, short=True, rounds=ROUNDS[name], seconds=SECONDS.get(name)
    )
    checks = Checks(quiet=True, timed=False)

    try:
        asyncio.run(RUN[name](order, checks))
    except SkippedError as reason:
        pytest.skip(str(reason))

    assert checks.all
    assert [] == [str(criterion) for criterion in checks.failed]
