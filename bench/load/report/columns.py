"""Columns of tables with a row a target: each writes one of its figures, for page and terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load.report.findings import goodput, percentiles_of, resources_of, shown
from bench.load.report.units import NONE, share_text, time_text
from bench.load.result import Figures, Percentiles, Resources, Result

Write = Callable[[Figures, Resources | None], str]
Column = tuple[str, Write]


def timed(metric: str, read: Callable[[Percentiles], float]) -> Write:
    """Return the writer of one percentile of a metric."""

    def cell(figures: Figures, _: Resources | None) -> str:
        known = percentiles_of(figures, metric)
        return time_text(read(known)) if known else NONE

    return cell


def taken(read: Callable[[Resources], float | None], write: Callable[[float], str]) -> Write:
    """Return the writer of something that a target took."""

    def cell(_: Figures, resources: Resources | None) -> str:
        value = read(resources) if resources else None
        return NONE if value is None else write(value)

    return cell


def taken_us(read: Callable[[Resources], float | None]) -> Write:
    """Return the writer of CPU time, read in microseconds."""
    return taken(read, lambda us: time_text(us * 1e3))


def good(figures: Figures, _: Resources | None) -> str:
    """Write the share of requests that were good."""
    value = goodput(figures)
    return NONE if value is None else share_text(value)


def filled(result: Result, columns: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns in which a target has a figure, and a row a target."""
    rows = [
        [write(shown(result, t), resources_of(result, t)) for _, write in columns]
        for t in result.targets
    ]
    used = [n for n in range(len(columns)) if any(row[n] != NONE for row in rows)]
    return [columns[n][0] for n in used], [[row[n] for n in used] for row in rows]
