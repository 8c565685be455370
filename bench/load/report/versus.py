"""Target against target: each figure as a multiple of the baseline's, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from bench.load.report.scales import Scale, ratios as ratio_scale
from bench.load.report.style import NARROW
from bench.load.report.svg import COLOURS, Drawing, text_width, widest
from bench.load.report.units import (
    MORE_IS_BETTER,
    figure_name,
    interval_text,
    ratio_text,
)
from bench.load.result import Ratio

ROW = 26
NARROW_ROW, NARROW_LINE = 46, 31
HEAD = 30
MARGIN = 8
RATIO_MOST = 1e9
"""Beyond it something was divided by nearly nothing."""


def draw(target: int, found: Sequence[Ratio], every: Sequence[Ratio], width: int) -> str:
    """Return the drawing of one target's ratios; `every`: those of all targets, to scale by."""
    narrow = width <= NARROW
    names = [_name(ratio) for ratio in found]
    texts = [ratio_text(ratio.ratio) for ratio in found]
    spans = [interval_text(ratio.low, ratio.high) for ratio in found]
    span_width = widest((interval_text(r.low, r.high) for r in every), 12) + 8
    row = NARROW_ROW if narrow else ROW
    bottom = MARGIN + row * len(found)
    scale = _scale(every, width, span_width, narrow=narrow)
    drawing = Drawing(width, bottom + HEAD + 16, _spoken(found))
    _axis(drawing, scale, bottom, found[0].baseline)
    for n, ratio in enumerate(found):
        top = MARGIN + n * row
        y = top + (NARROW_LINE if narrow else row / 2)
        drawing.text((0, top + 15 if narrow else y + 4), names[n], "halo")
        drawing.text((width - span_width, y + 4), texts[n], "name", "end")
        drawing.text((width, y + 4), spans[n], "soft", "end")
        css = f"whisker c{target % COLOURS}"
        drawing.line((scale.at(ratio.low), y), (scale.at(ratio.high), y), css)
        unclear = ratio.low <= 1 <= ratio.high
        tip = f"{names[n]}: {texts[n]} ({spans[n]})"
        drawing.mark((scale.at(ratio.ratio), y), target, hollow=unclear, tip=tip)
    return drawing.render()


def drawable(found: Sequence[Ratio], target: str) -> list[Ratio]:
    """Return a target's ratios that can stand on the scale."""
    return [r for r in found if r.target == target and _fits(r)]


def note(found: Sequence[Ratio]) -> str:
    """Say how to read it, and which ratios cannot be drawn."""
    baseline = found[0].baseline
    left_out = [f"{r.target}, {figure_name(r.figure)}" for r in found if not _fits(r)]
    rest = f" Not drawn, as one of both is nothing: {'; '.join(left_out)}." if left_out else ""
    return (
        f"Each figure as a multiple of {baseline}\u2019s, which is the line at 1; the bar is the "
        "95 % interval. A hollow mark: no clear difference. Less is better, but where it says "
        f"otherwise.{rest}"
    )


def _fits(ratio: Ratio) -> bool:
    return all(0 < value < RATIO_MOST for value in (ratio.low, ratio.ratio, ratio.high))


def _scale(every: Sequence[Ratio], width: int, span_width: float, *, narrow: bool) -> Scale:
    left = 14.0 if narrow else widest(map(_name, every)) + 20
    right = width - widest(ratio_text(r.ratio) for r in every) - span_width - 28
    low = min(min(r.low, r.ratio) for r in every)
    high = max(max(r.high, r.ratio) for r in every)
    return ratio_scale(low, high, left, right, most=5 if narrow else 7)


def _axis(drawing: Drawing, scale: Scale, bottom: float, baseline: str) -> None:
    free_from = -1e9
    one = scale.at(1.0)
    for tick in sorted(scale.ticks, key=lambda t: (t != 1.0, t)):
        x = scale.at(tick)
        drawing.line((x, MARGIN - 4), (x, bottom + 4), "one" if tick == 1.0 else "grid")
        text = f"{tick:g}"
        near_one = tick != 1.0 and abs(x - one) < text_width(text, 12) + 8
        if not near_one and x - text_width(text, 12) / 2 > free_from:
            drawing.text((x, bottom + 18), text, "tick", "middle")
            free_from = x + text_width(text, 12) / 2 + 6 if tick != 1.0 else free_from
    title = f"times {baseline}"
    if text_width(title, 12) > drawing.width:
        title = "times the baseline"
    half = text_width(title, 12) / 2
    middle = min(max((scale.start + scale.end) / 2, half), drawing.width - half)
    drawing.text((middle, bottom + 36), title, "soft", "middle")


def _name(ratio: Ratio) -> str:
    name = figure_name(ratio.figure)
    return f"{name} (more is better)" if ratio.figure in MORE_IS_BETTER else name


def _spoken(found: Sequence[Ratio]) -> str:
    told = "; ".join(
        f"{figure_name(r.figure)} {ratio_text(r.ratio)}, {interval_text(r.low, r.high)}"
        for r in found
    )
    return f"{found[0].target} against {found[0].baseline}. {told}"
