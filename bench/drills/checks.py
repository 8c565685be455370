"""A drill's pass criteria: numbers with a limit, printed as they are checked."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


class SkippedError(Exception):
    """The drill cannot run on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One number that decides over pass and fail."""

    name: str
    value: float
    comparison: str
    limit: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the number keeps its limit."""
        if self.comparison == "==":
            return self.value == self.limit
        if self.comparison == "<=":
            return self.value <= self.limit
        return self.value >= self.limit

    def __str__(self) -> str:
        mark = "PASS" if self.passed else "FAIL"
        note = f"   {self.note}" if self.note and not self.passed else ""
        limit = f"{self.comparison} {_number(self.limit)}"
        return f"  {mark}  {self.name:<58} {_number(self.value):>12} {limit}{note}"


@dataclass(slots=True)
class Checks:
    """The criteria of one drill so far."""

    quiet: bool = False
    timed: bool = True
    """Whether limits of time decide: not where others may keep the machine busy meanwhile."""
    all: list[Criterion] = field(default_factory=list)

    @property
    def failed(self) -> list[Criterion]:
        """The criteria that were not kept."""
        return [criterion for criterion in self.all if not criterion.passed]

    def equal(self, name: str, value: float, expected: float = 0, note: str = "") -> None:
        """Demand exactly this value."""
        self._take(Criterion(name, value, "==", expected, note))

    def at_most(self, name: str, value: float, limit: float, note: str = "") -> None:
        """Demand no more than `limit`."""
        self._take(Criterion(name, value, "<=", limit, note))

    def at_least(self, name: str, value: float, limit: float, note: str = "") -> None:
        """Demand no less than `limit`."""
        self._take(Criterion(name, value, ">=", limit, note))

    def in_time(self, name: str, value: float, limit: float) -> None:
        """Demand no more time than `limit`; only told if limits of time do not decide."""
        if self.timed:
            self.at_most(name, value, limit)
        else:
            self.tell(f"{name}: {_number(value)}, {_number(limit)} are allowed")

    def tell(self, text: str) -> None:
        """Say something that decides nothing."""
        if not self.quiet:
            sys.stdout.write(f"        {text}\n")
            sys.stdout.flush()

    def _take(self, criterion: Criterion) -> None:
        self.all.append(criterion)
        if not self.quiet:
            sys.stdout.write(f"{criterion}\n")
            sys.stdout.flush()


def _number(value: float) -> str:
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.3f}"
