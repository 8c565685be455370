"""A profile's tree as one SVG file: each box a function, as wide as its bytecodes."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.profiling.profile import Branch, Profile

WIDTH = 1_400
_ROW = 18
_TOP = 30
_CHAR = 6.6
_LEAST = 0.6
"""Boxes narrower than this many pixels are left out."""
_LABEL_CHARS_MIN = 4
_HUES = 12
_STYLE = """
text { font: 11px ui-monospace, monospace; fill: #1a1a1a; pointer-events: none }
.title { font: 13px system-ui, sans-serif; fill: #333 }
rect { stroke: #fff; stroke-width: .5; rx: 1 }
rect:hover { stroke: #000; stroke-width: 1.5 }
svg { background: #fff }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c } .title { fill: #ddd } rect { stroke: #16181c }
  rect:hover { stroke: #fff }
}
"""


def flame(title: str, profile: Profile) -> str:
    """Return the SVG document."""
    total = profile.bytecodes or 1.0
    height = _TOP + _ROW * (_depth(profile.tree) + 1)
    boxes = "\n".join(_row(profile.tree, 0.0, 0, WIDTH / total, total))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}">\n<style>{_STYLE}</style>\n'
        f'<text class="title" x="4" y="18">{escape(title)}: {total:,.0f} bytecodes; '
        "a function stands under its caller; point at a box for its figures</text>\n"
        f"{boxes}\n</svg>\n"
    )


def _row(
    branches: list[Branch], left: float, depth: int, scale: float, total: float
) -> Iterator[str]:
    for branch in branches:
        width = branch.bytecodes * scale
        if width >= _LEAST:
            yield _box(branch, left, depth, width, branch.bytecodes / total)
            yield from _row(branch.branches, left, depth + 1, scale, total)
        left += width


def _box(branch: Branch, left: float, depth: int, width: float, share: float) -> str:
    top = _TOP + depth * _ROW
    shown = _label(branch.function.name, int((width - 4) / _CHAR))
    told = f"{branch.function}: {branch.bytecodes:,.1f} bytecodes with all it calls, {share:.1%}"
    hue = sum(branch.function.file.encode()) % _HUES * (360 // _HUES)
    label = f'<text x="{left + 3:.1f}" y="{top + 13}">{escape(shown)}</text>' if shown else ""
    return (
        f'<g><title>{escape(told)}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{_ROW}" fill="hsl({hue} 62% 72%)"/>{label}</g>'
    )


def _label(name: str, chars: int) -> str:
    """Return as much of a name as fits, the method alone rather than half of the class."""
    if len(name) <= chars:
        return name
    method = name.rpartition(".")[2]
    if len(method) <= chars:
        return method
    return f"{method[: chars - 1]}…" if chars >= _LABEL_CHARS_MIN else ""


def _depth(branches: list[Branch]) -> int:
    return max((1 + _depth(branch.branches) for branch in branches), default=0)
