"""What a microbenchmark gives to whoever measures it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[2] / "tests"
"""The cases are the tests' own: what is measured is what is proved right."""


class Work(NamedTuple):
    """A call that may be repeated as often as one likes."""

    call: Callable[[], object]
    is_right: Callable[[object], bool]
    """Whether a result of `call` is what it has to be."""
    operations: float = 1.0
    """How many operations one call does; figures are per operation."""


Opening = Callable[[], Iterator[Work]]


@contextmanager
def opened(opening: Opening) -> Iterator[Work]:
    """Give the work of a benchmark, and clear up after it."""
    yield from opening()
