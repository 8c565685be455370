"""One target second by second: p50, p99 and failures; its blocks one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.load.report.chart import Frame, axis_x, axis_y
from bench.load.report.scales import Scale, fitting, linear
from bench.load.report.svg import COLOURS, Drawing, Point
from bench.load.report.units import count_text, tick_text, time_text
from bench.load.result import Second, TargetResult

LEFT = 62.0
PLOT_HEIGHT, FAILED_HEIGHT, BETWEEN = 130, 44, 36
SECONDS_LEAST = 3
"""A shorter run has no course worth drawing."""


class Course(NamedTuple):
    """A target's seconds on one axis, and where its blocks begin."""

    target: int
    name: str
    seconds: Sequence[tuple[float, Second]]
    starts: Sequence[float]
    length_s: float


def courses_of(targets: Sequence[TargetResult]) -> list[Course]:
    """Return the courses long enough to be drawn."""
    found = (_course(n, target) for n, target in enumerate(targets))
    return [course for course in found if len(course.seconds) >= SECONDS_LEAST]


def limits(courses: Sequence[Course]) -> tuple[list[float], int]:
    """Return what all drawings scale by: the latencies, and the most failures in a second."""
    seconds = [second for course in courses for _, second in course.seconds]
    times = [float(ns) for s in seconds if s.ok for ns in (s.e2e_p50_ns, s.e2e_p99_ns)]
    return times, max((second.failed for second in seconds), default=0)


def draw(course: Course, shared: tuple[list[float], int], width: int) -> str:
    """Return the drawing of one target, on scales that all targets share."""
    values, failed_most = shared
    box = Frame(LEFT, 14, width - 44, 14 + PLOT_HEIGHT, labels_right=False)
    fails = any(second.failed for _, second in course.seconds)
    bottom = box.bottom + (BETWEEN + FAILED_HEIGHT if fails else 0)
    drawing = Drawing(width, bottom + 44, _spoken(course))
    scale = fitting(values, box.bottom, box.top, most=5)
    across = Scale(0.0, course.length_s, box.left, box.right, ())
    axis_y(drawing, box, scale, tick_text)
    for start in course.starts[1:]:
        drawing.line((across.at(start), box.top), (across.at(start), bottom), "limit")
    css = f"curve c{course.target % COLOURS}"
    p99 = _runs([(at, s.e2e_p99_ns if s.ok else 0) for at, s in course.seconds], course.starts)
    p50 = _runs([(at, s.e2e_p50_ns if s.ok else 0) for at, s in course.seconds], course.starts)
    for run in p99:
        drawing.path([(across.at(x), scale.at(y)) for x, y in run], css)
    for run in p50:
        drawing.path([(across.at(x), scale.at(y)) for x, y in run], f"{css} thin")
    _line_names(drawing, box, scale, p50, p99)
    lowest = box
    if fails:
        lowest = box._replace(top=box.bottom + BETWEEN, bottom=bottom)
        drawing.line((box.left, box.bottom), (box.right, box.bottom), "axis")
        _failures(drawing, course, lowest, across, failed_most)
    axis_x(drawing, lowest, _ticks(across), "seconds")
    return drawing.render()


def note(courses: Sequence[Course], failed_most: int) -> str:
    """Say how to read it."""
    text = "The thick line is each second\u2019s p99, the thin one its p50."
    if any(len(course.starts) > 1 for course in courses):
        text += " Dotted lines part the blocks, which took turns with the other targets\u2019."
    return text + (" Below, where some failed: how many." if failed_most else " No request failed.")


def _course(n: int, target: TargetResult) -> Course:
    blocks = [b for b in target.blocks if b.timeline] or [target.total]
    seconds: list[tuple[float, Second]] = []
    starts: list[float] = []
    offset = 0.0
    for block in blocks:
        starts.append(offset)
        length = max((second.at_s + 1 for second in block.timeline), default=0)
        seconds += [(offset + second.at_s + 0.5, second) for second in block.timeline]
        # The last requests end a little after the block: that is no second of its own.
        offset += max(length, math.floor(block.seconds) if block.timeline else 0)
    return Course(n, target.name, seconds, starts, offset)


def _runs(values: Sequence[tuple[float, float]], starts: Sequence[float]) -> list[list[Point]]:
    """Part a line where a second has no value and where a block begins."""
    runs: list[list[Point]] = [[]]
    for at, value in values:
        last = runs[-1][-1][0] if runs[-1] else at
        if value <= 0 or any(last < start <= at for start in starts):
            runs.append([])
        if value > 0:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _line_names(
    drawing: Drawing, box: Frame, scale: Scale, p50: list[list[Point]], p99: list[list[Point]]
) -> None:
    if not p50 or not p99:
        return
    low, high = scale.at(p50[-1][-1][1]), scale.at(p99[-1][-1][1])
    close = max(0.0, 15 - (low - high)) / 2
    low = min(low + close, box.bottom)
    drawing.text((box.right + 8, low + 4), "p50", "soft")
    drawing.text((box.right + 8, min(high - close, low - 15) + 4), "p99", "soft")


def _failures(
    drawing: Drawing, course: Course, box: Frame, across: Scale, failed_most: int
) -> None:
    scale = linear(failed_most, box.bottom, box.top, most=2)
    drawing.text((box.left, box.top - 8), "failed per second", "soft")
    for tick in scale.ticks:
        if tick == int(tick):
            drawing.text((box.left - 8, scale.at(tick) + 4), count_text(tick), "tick", "end")
            drawing.line((box.left, scale.at(tick)), (box.right, scale.at(tick)), "grid")
    pixels = (box.right - box.left) / across.high
    wide = max(1.0, pixels - 1)
    for at, second in course.seconds:
        if second.failed:
            y = scale.at(second.failed)
            drawing.rect((across.at(at) - wide / 2, y), wide, box.bottom - y, "failed")


def _ticks(across: Scale) -> list[tuple[float, str]]:
    steps = linear(across.high, 0, 1, most=10).ticks
    return [(across.at(t), f"{t:g}") for t in steps if t <= across.high]


def _spoken(course: Course) -> str:
    known = [second.e2e_p99_ns for _, second in course.seconds if second.ok]
    failed = sum(second.failed for _, second in course.seconds)
    told = f"p99 up to {time_text(max(known))}, " if known else ""
    return f"{course.name} over {course.length_s:g} seconds: {told}{count_text(failed)} failed"
