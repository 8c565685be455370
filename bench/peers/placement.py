"""Which core does what: proxy on the first, all else on others as far as there are."""

from __future__ import annotations

import os
from typing import NamedTuple


class Placement(NamedTuple):
    """Cores by number."""

    proxy: tuple[int, ...]
    provider: tuple[int, ...]
    load: tuple[int, ...]

    def __str__(self) -> str:
        proxy, provider, load = (_words(each) for each in self)
        if self.proxy == self.provider:
            return f"proxy, provider and load share {proxy}: figures are of little worth"
        if self.provider == self.load:
            return f"proxy on {proxy}, provider and load on {load}"
        return f"proxy on {proxy}, provider on {provider}, load on {load}"


def place(cores: list[int]) -> Placement:
    """Return the placement of one proxy process on these cores."""
    first, second = cores[:1], cores[1:2] or cores[:1]
    third = cores[2:3] or second
    return Placement(tuple(first), tuple(second), tuple(third))


def place_two_workers(cores: list[int]) -> Placement | None:
    """Return the placement that gives a proxy two cores alone; None: there are too few."""
    if len(cores) < 4:  # noqa: PLR2004 - two for the proxy, one each for provider and load
        return None
    return Placement(tuple(cores[:2]), (cores[2],), tuple(cores[3:]))


def our_cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def _words(cores: tuple[int, ...]) -> str:
    return f"core {cores[0]}" if len(cores) == 1 else f"cores {', '.join(map(str, cores))}"
