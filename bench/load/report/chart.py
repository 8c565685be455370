"""What drawings share: axes with their grid, and labels at the ends of lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.load.report.scales import Scale, spread
from bench.load.report.style import NARROW
from bench.load.report.svg import Drawing, Point, text_width, widest, wrapped

LABEL_GAP = 12
LABEL_SHARE_MAX = 0.3
"""Of the width, at most, for labels at the right; longer names go above the plot."""
KEY_LINE = 18


class Label(NamedTuple):
    """A line's name and a figure beneath it."""

    target: int
    name: str
    figure: str


class Frame(NamedTuple):
    """Where the plot lies in its drawing."""

    left: float
    top: float
    right: float
    bottom: float
    labels_right: bool


def frame(labels: Sequence[Label], width: float, plot_height: float, left: float) -> Frame:
    """Return the frame that leaves room for the labels: at the right, or as a key above."""
    texts = [text for label in labels for text in (label.name, label.figure)]
    need = LABEL_GAP + 8 + widest(texts)
    at_right = need <= LABEL_SHARE_MAX * width and width > NARROW
    lines = 0 if at_right else sum(len(_key_lines(label, width)) for label in labels)
    top = 14.0 + KEY_LINE * lines
    right = width - need if at_right else width - 16
    return Frame(left, top, right, top + plot_height, at_right)


def axis_y(drawing: Drawing, box: Frame, scale: Scale, write: Callable[[float], str]) -> None:
    """Draw the horizontal grid with its numbers at the left."""
    for tick in scale.ticks:
        y = scale.at(tick)
        css = "axis" if y == box.bottom else "grid"
        drawing.line((box.left, y), (box.right, y), css)
        drawing.text((box.left - 8, y + 4), write(tick), "tick", "end")


def axis_x(drawing: Drawing, box: Frame, ticks: Sequence[tuple[float, str]], title: str) -> None:
    """Draw numbers below the plot, as many as have room, and what they mean."""
    drawing.line((box.left, box.bottom), (box.right, box.bottom), "axis")
    free_from = -1e9
    for x, text in ticks:
        half = text_width(text, 12) / 2
        if x - half < free_from:
            continue
        drawing.line((x, box.bottom), (x, box.bottom + 4), "axis")
        anchor = "end" if x + half > drawing.width else "middle"
        drawing.text((x, box.bottom + 18), text, "tick", anchor)
        free_from = x + half + 8
    if title:
        drawing.text(((box.left + box.right) / 2, box.bottom + 36), title, "soft", "middle")


def end_labels(drawing: Drawing, box: Frame, labels: Sequence[tuple[Label, Point]]) -> None:
    """Name each line at its end, kept apart from the others; or above the plot, as a key."""
    if not box.labels_right:
        _key(drawing, [label for label, _ in labels])
        return
    tall = 32 if any(label.figure for label, _ in labels) else 18
    places = spread([end[1] for _, end in labels], tall, box.top + 6, box.bottom - 14)
    for (label, end), y in zip(labels, places, strict=True):
        x = box.right + LABEL_GAP
        drawing.line((end[0] + 5, end[1]), (x - 3, y), "leader")
        drawing.text((x, y + 4), label.name, "name")
        drawing.text((x, y + 19), label.figure, "soft")


def _key_lines(label: Label, width: float) -> list[str]:
    whole = f"{label.name}  {label.figure}".rstrip()
    if text_width(whole) <= width - 28:
        return [whole]
    return [*wrapped(label.name, width - 28), *([label.figure] if label.figure else [])]


def _key(drawing: Drawing, labels: Sequence[Label]) -> None:
    y = 14.0
    for label in labels:
        drawing.mark((8, y - 4), label.target)
        lines = _key_lines(label, drawing.width)
        if len(lines) == 1 and label.figure:
            drawing.text((22, y), label.name, "name")
            drawing.text((drawing.width - 6, y), label.figure, "soft", "end")
        else:
            for n, line in enumerate(lines):
                css = "soft" if label.figure and n == len(lines) - 1 else "name"
                drawing.text((22, y + n * KEY_LINE), line, css)
        y += KEY_LINE * len(lines)
