"""Rates that rise: how many requests stay good, how long they take, and the knee."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.load.report.chart import Frame, Label, axis_x, axis_y, end_labels, frame
from bench.load.report.findings import goodput, percentiles_of
from bench.load.report.scales import Scale, fitting, linear
from bench.load.report.svg import COLOURS, Drawing, Point
from bench.load.report.units import digits, rate_text, share_text, tick_text, time_text
from bench.load.result import Rung, TargetResult

LEFT = 62.0
GOOD_HEIGHT, TIME_HEIGHT = 150, 200
BETWEEN = 62
TITLE = 26
RATES_MOST = 3.0
"""Beyond this factor from the first rate to the last, rates stand on a logarithmic axis."""


class Climb(NamedTuple):
    """One target's ladder."""

    target: int
    name: str
    rungs: Sequence[Rung]
    knee_rate: float | None


def climbs_of(targets: Sequence[TargetResult]) -> list[Climb]:
    """Return the ladders of the targets that have one."""
    return [
        Climb(n, target.name, target.ladder, target.knee_rate)
        for n, target in enumerate(targets)
        if target.ladder
    ]


def draw(climbs: Sequence[Climb], least_good: float | None, width: int) -> str:
    """Return both panels; least_good: the goodput that a rate must keep."""
    labels = [Label(c.target, c.name, _knee_text(c)) for c in climbs]
    upper = frame(labels, width, GOOD_HEIGHT, LEFT)
    upper = upper._replace(top=upper.top + TITLE, bottom=upper.bottom + TITLE)
    lower_top = upper.bottom + BETWEEN
    lower = upper._replace(top=lower_top, bottom=lower_top + TIME_HEIGHT)
    drawing = Drawing(width, lower.bottom + 46, _spoken(climbs))
    across = _rates(climbs, upper)
    shares = Scale(0, 1, upper.bottom, upper.top, (0, 0.25, 0.5, 0.75, 1))
    drawing.text((0, upper.top - 16), "Good requests", "name")
    axis_y(drawing, upper, shares, lambda share: f"{share:.0%}".replace("%", " %"))
    axis_x(drawing, upper, _ticks(across), "")
    if least_good is not None:
        y = shares.at(least_good)
        drawing.line((upper.left, y), (upper.right, y), "limit")
    times = _times(climbs, lower)
    drawing.text((0, lower.top - 16), "p99, end to end", "name")
    axis_y(drawing, lower, times, tick_text)
    axis_x(drawing, lower, _ticks(across), "requests a second, offered")
    ends: list[tuple[Label, Point]] = []
    slow_ends: list[tuple[Label, Point]] = []
    for label, climb in zip(labels, climbs, strict=True):
        _knee_line(drawing, climb, across, (upper, lower))
        good = _line(drawing, climb, across, shares, _share_of)
        slow = _line(drawing, climb, across, times, _p99_of)
        ends.append((label, good))
        slow_ends.append((label._replace(figure=""), slow))
    end_labels(drawing, upper, ends)
    if lower.labels_right:
        end_labels(drawing, lower, slow_ends)
    return drawing.render()


def note(least_good: float | None) -> str:
    """Say how to read it."""
    kept = "" if least_good is None else f", where at least {share_text(least_good)} were good"
    return (
        f"A dashed line marks the knee: the highest rate kept{kept}. Hollow marks: rates not "
        "kept, or that the load itself could not offer."
    )


def _rates(climbs: Sequence[Climb], box: Frame) -> Scale:
    rates = sorted({rung.rate for climb in climbs for rung in climb.rungs})
    low, high = rates[0], rates[-1]
    if low > 0 and high / low > RATES_MOST:
        spare = (high / low) ** 0.03
        ticks = tuple(rates)
        return Scale(low / spare, high * spare, box.left, box.right, ticks, log=True)
    return linear(high, box.left, box.right)


def _ticks(across: Scale) -> list[tuple[float, str]]:
    return [(across.at(rate), f"{rate:,.0f}") for rate in across.ticks]


def _times(climbs: Sequence[Climb], box: Frame) -> Scale:
    values = [ns for climb in climbs for rung in climb.rungs if (ns := _p99_of(rung)) is not None]
    return fitting(values, box.bottom, box.top)


def _share_of(rung: Rung) -> float | None:
    return goodput(rung.figures)


def _p99_of(rung: Rung) -> float | None:
    known = percentiles_of(rung.figures, "e2e")
    return float(known.p99_ns) if known else None


def _line(
    drawing: Drawing,
    climb: Climb,
    across: Scale,
    scale: Scale,
    read: Callable[[Rung], float | None],
) -> Point:
    known = [(rung, value) for rung in climb.rungs if (value := read(rung)) is not None]
    points = [(across.at(rung.rate), scale.at(value)) for rung, value in known]
    drawing.path(points, f"curve c{climb.target % COLOURS}")
    for (rung, _), point in zip(known, points, strict=True):
        drawing.mark(point, climb.target, hollow=not rung.kept, tip=_tip(climb, rung))
    return points[-1] if points else (across.end, scale.start)


def _knee_line(drawing: Drawing, climb: Climb, across: Scale, boxes: tuple[Frame, Frame]) -> None:
    if climb.knee_rate is None:
        return
    x = across.at(climb.knee_rate)
    for box in boxes:
        drawing.line((x, box.top), (x, box.bottom), f"knee c{climb.target % COLOURS}")


def _knee_text(climb: Climb) -> str:
    if climb.knee_rate is None:
        return "no rate kept"
    return f"knee {rate_text(climb.knee_rate)}"


def _tip(climb: Climb, rung: Rung) -> str:
    told = [f"{climb.name} at {rate_text(rung.rate)}"]
    share, p99 = _share_of(rung), _p99_of(rung)
    if share is not None:
        told.append(f"{share_text(share)} good")
    if p99 is not None:
        told.append(f"p99 {time_text(p99)}")
    return ", ".join(told)


def _spoken(climbs: Sequence[Climb]) -> str:
    told = "; ".join(
        f"{c.name}: "
        + ("no rate kept" if c.knee_rate is None else f"knee {digits(c.knee_rate)} requests/s")
        for c in climbs
    )
    return f"Good requests and p99 over the rate. {told}"
