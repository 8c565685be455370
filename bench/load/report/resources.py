"""What each target took of its machine: CPU time and memory, as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.load.report.style import NARROW
from bench.load.report.svg import COLOURS, Drawing, widest, wrapped
from bench.load.report.units import digits, ratio_text, time_text
from bench.load.result import Resources

ROW = 30
NAME_LINE = 16
BAR = 14
NAME_SHARE_MAX = 0.34


class Bar(NamedTuple):
    """One target's value of a kind."""

    target: int
    name: str
    value: float


class Kind(NamedTuple):
    """A figure that is drawn as bars."""

    title: str
    read: Callable[[Resources], float | None]
    write: Callable[[float], str]


KINDS = (
    Kind("CPU time per request", lambda r: r.cpu_us_per_request, lambda us: time_text(us * 1e3)),
    Kind("CPU time per chunk", lambda r: r.cpu_us_per_chunk, lambda us: time_text(us * 1e3)),
    Kind("Memory at most", lambda r: r.pss_mib_max, lambda mib: f"{digits(mib)} MiB"),
    Kind("Memory per stream", lambda r: r.kib_per_stream, lambda kib: f"{digits(kib)} KiB"),
)


def bars_of(kind: Kind, taken: Sequence[tuple[str, Resources | None]]) -> list[Bar]:
    """Return the bars of the targets that have the figure."""
    found = []
    for n, (name, resources) in enumerate(taken):
        value = kind.read(resources) if resources else None
        if value is not None and value > 0:
            found.append(Bar(n, name, value))
    return found


def draw(kind: Kind, bars: Sequence[Bar], width: int) -> str:
    """Return the drawing of one kind; there must be a bar."""
    texts = [_text(kind, bars, bar) for bar in bars]
    names = [[bar.name] for bar in bars]
    above = width <= NARROW or widest(bar.name for bar in bars) > NAME_SHARE_MAX * width
    if above:
        names = [wrapped(bar.name, width) for bar in bars]
    left = 0.0 if above else widest(bar.name for bar in bars) + 14
    room = width - left - widest(texts) - 12
    heights = [ROW + (NAME_LINE * len(lines) if above else 0) for lines in names]
    most = max(bar.value for bar in bars)
    told = "; ".join(f"{b.name} {t}" for b, t in zip(bars, texts, strict=True))
    drawing = Drawing(width, 6 + sum(heights), f"{kind.title}. {told}")
    top = 4.0
    for bar, lines, text, height in zip(bars, names, texts, heights, strict=True):
        middle = top + height - ROW / 2
        for n, line in enumerate(lines):
            drawing.text((0, top + 14 + n * NAME_LINE if above else middle + 5), line)
        length = max(room * bar.value / most, 1.5)
        drawing.rect((left, middle - BAR / 2), length, BAR, f"bar c{bar.target % COLOURS}")
        drawing.text((left + length + 8, middle + 5), text, "name")
        top += height
    return drawing.render()


def _text(kind: Kind, bars: Sequence[Bar], bar: Bar) -> str:
    text = kind.write(bar.value)
    if bar is bars[0]:
        return text
    return f"{text}, {ratio_text(bar.value / bars[0].value)}"
