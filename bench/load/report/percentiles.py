"""Latency by percentile, a line a target; the tail is stretched out to be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.load.histogram import Histogram as Counters
from bench.load.report.chart import Frame, Label, axis_x, axis_y, end_labels, frame
from bench.load.report.findings import percentiles_of
from bench.load.report.scales import Scale, fitting
from bench.load.report.style import WIDE
from bench.load.report.svg import COLOURS, Drawing, Point
from bench.load.report.units import METRIC_NAMES, tick_text, time_text
from bench.load.result import Figures

NAMED = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"))
STEPS_PER_TENTH = 30
"""Points of a curve for each further nine of its percentile."""
FEW = 10
"""Beyond a percentile with fewer values than this the line is dotted: it is mostly chance."""
LEFT = 62.0
MIN_ROOM = 44.0
"""Pixels that the least value's own label needs."""


class Curve(NamedTuple):
    """A target's line: (percentile as nines, nanoseconds), rising."""

    target: int
    name: str
    values: int
    points: tuple[Point, ...]
    p99_ns: int


def curves_of(shown: Sequence[tuple[str, Figures]], metric: str) -> list[Curve]:
    """Return the lines of all targets that have values of a metric, in the targets' order."""
    curves = []
    for target, (name, figures) in enumerate(shown):
        known = percentiles_of(figures, metric)
        if known is None or known.count < FEW:
            continue
        shares = _shares(known.count)
        values = Counters.decode(figures.histograms[metric].hdr).quantiles(shares)
        points = tuple((_nines(s), float(max(v, 1))) for s, v in zip(shares, values, strict=True))
        curves.append(Curve(target, name, known.count, points, known.p99_ns))
    return curves


def draw(curves: Sequence[Curve], metric: str, width: int) -> str:
    """Return the drawing of one metric; there must be a curve."""
    labels = [Label(c.target, c.name, f"p99 {time_text(c.p99_ns)}") for c in curves]
    box = frame(labels, width, 270 if width >= WIDE else 210, LEFT)
    values = [ns for curve in curves for _, ns in curve.points]
    scale = fitting(values, box.bottom, box.top)
    furthest = max(curve.points[-1][0] for curve in curves)
    across = Scale(0.0, furthest, box.left, box.right, ())
    drawing = Drawing(width, box.bottom + 26, _spoken(curves, metric))
    axis_y(drawing, box, scale, tick_text)
    _percentile_axis(drawing, box, across)
    for curve in reversed(curves):
        _line(drawing, curve, across, scale)
    ends = [
        (label, (across.at(curve.points[-1][0]), scale.at(curve.points[-1][1])))
        for label, curve in zip(labels, curves, strict=True)
    ]
    end_labels(drawing, box, ends)
    return drawing.render()


def note(curves: Sequence[Curve]) -> str:
    """Say how to read it."""
    least = min(curve.values for curve in curves)
    return (
        "The further right, the rarer: at p99 one request in a hundred takes as long or longer. "
        f"Dotted: fewer than {FEW} values lie beyond"
        + (f", of {least:,} in all." if len(curves) == 1 else ".")
    )


def _percentile_axis(drawing: Drawing, box: Frame, across: Scale) -> None:
    ticks = [(across.at(_nines(s)), text) for s, text in NAMED if _nines(s) <= across.high]
    for x, _ in ticks:
        drawing.line((x, box.top), (x, box.bottom), "grid")
    if ticks and ticks[0][0] - box.left > MIN_ROOM:
        ticks.insert(0, (box.left, "min"))
    axis_x(drawing, box, ticks, "")


def _line(drawing: Drawing, curve: Curve, across: Scale, scale: Scale) -> None:
    css = f"curve c{curve.target % COLOURS}"
    sure = _nines(1 - FEW / curve.values)
    solid = [(across.at(x), scale.at(y)) for x, y in curve.points if x <= sure]
    rest = [(across.at(x), scale.at(y)) for x, y in curve.points if x > sure]
    drawing.path(solid, css)
    drawing.path([*solid[-1:], *rest], f"{css} few")
    for share, text in NAMED:
        nines = _nines(share)
        if nines <= curve.points[-1][0]:
            ns = next(y for x, y in curve.points if x >= nines - 1e-9)
            tip = f"{curve.name}: {text} {time_text(ns)}"
            drawing.mark((across.at(nines), scale.at(ns)), curve.target, tip=tip)


def _spoken(curves: Sequence[Curve], metric: str) -> str:
    told = "; ".join(f"{c.name} p99 {time_text(c.p99_ns)}" for c in curves)
    return f"{METRIC_NAMES[metric]} by percentile. {told}"


def _nines(share: float) -> float:
    return -math.log10(1 - share)


def _shares(count: int) -> list[float]:
    """Return shares evenly apart on the axis, the named ones among them, up to the last value."""
    last = math.log10(count)
    even = [1 - 10 ** (-n / STEPS_PER_TENTH) for n in range(int(last * STEPS_PER_TENTH) + 1)]
    named = [share for share, _ in NAMED if _nines(share) <= last]
    return sorted({*even, *named, 1 - 1 / count})
