"""For all tests: properties are not judged by time, and those run side by side share no port."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings

from bench import ports

settings.register_profile("korad", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("korad")


class ShareOfPorts(random.SystemRandom):
    """Draws from one of so many equal parts of a range."""

    def __init__(self, part: int, parts: int) -> None:
        self._part, self._parts = part, parts

    def randrange(self, start: int, stop: int) -> int:
        width = (stop - start) // self._parts
        first = start + self._part * width
        return super().randrange(first, first + width)


def pytest_configure(config):
    """Give each process of pytest-xdist ports of its own.

    A port is free again for a moment before its server has bound it, and while that is away.
    """
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        number = int(worker["workerid"].removeprefix("gw"))
        ports._chance = ShareOfPorts(number, worker["workercount"])
