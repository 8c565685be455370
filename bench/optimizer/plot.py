"""Draw a report as one self-contained SVG: tokens saved, input cost saved, CPU time."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.optimizer.figures import Cost, Family, Report
from bench.optimizer.table import TOTAL, family_of, names_of

MARGIN = 24
TOP = 132
NAME_WIDTH_MIN, NAME_CHAR_WIDTH, LEVEL_WIDTH = 132, 8, 62
PANEL_GAP = 28
PANELS = (("tokens", 300), ("cost", 320), ("time", 250))
ROW_HEIGHT, GROUP_GAP = 17, 12
BAR_HEIGHT, HALF_BAR_HEIGHT = 11, 6
NOTE_WIDTHS = {"tokens": 118, "cost": 62, "time": 84}
"""Right of the bars, for their numbers."""
PER_CENT_MARKS = (0, 25, 50, 75, 100)
TIME_STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
FULL = 0.99995
CHANCE_PERCENT = 0.5
"""Smaller differences of cost come from the steps of 128 tokens in which OpenAI caches."""

_STYLE = """
text{font:12px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1c2128}
.title{font-size:19px;font-weight:600}.head{font-size:14px;font-weight:600}
.soft{fill:#59636e}.name{font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}
.bad{fill:#b3261e;font-weight:600}.page{fill:#ffffff}.band{fill:#f3f5f7}
.grid{stroke:#d5dae0;stroke-width:1}.axis{stroke:#8a949e;stroke-width:1}
.low{fill:#4c9be8}.medium{fill:#2aa17c}.high{fill:#e09a2b}.extreme{fill:#8a6fc4}.off{fill:#8a949e}
.ideal{stroke:#1c2128;stroke-width:2}.pale{fill-opacity:.45}.loss{fill:#b3261e}
@media (prefers-color-scheme:dark){
text{fill:#e6e9ed}.soft{fill:#9aa5b1}.bad{fill:#ff8a80}.page{fill:#14181d}.band{fill:#1d2229}
.grid{stroke:#343c46}.axis{stroke:#66717d}.loss{fill:#ff8a80}.ideal{stroke:#ffffff}}
"""


def draw(report: Report) -> str:
    """Return the plot; rows are families, in each a bar for every level."""
    names = [*names_of(report), TOTAL]
    group_height = ROW_HEIGHT * len(report.levels) + GROUP_GAP
    bottom = TOP + group_height * len(names)
    longest = max(map(len, names))
    first = MARGIN + max(NAME_WIDTH_MIN, NAME_CHAR_WIDTH * longest) + LEVEL_WIDTH
    width = first + sum(size + PANEL_GAP for _, size in PANELS) - PANEL_GAP + MARGIN
    height = bottom + 56
    body = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{_title(report)}" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">'
        ),
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        *_head(report),
    ]
    for at, name in enumerate(names):
        top = TOP + at * group_height
        if at % 2 == 0:
            body.append(_rect("band", MARGIN - 8, top, width - 2 * MARGIN + 16, group_height))
        body += _names(report, name, top, first)
    left = first
    for kind, size in PANELS:
        body += _panel(report, names, kind, (left, size, bottom))
        left += size + PANEL_GAP
    body += [*_foot(bottom), "</svg>"]
    return "\n".join(body) + "\n"


def _title(report: Report) -> str:
    return escape(f"korad's optimizer: {report.conversations} conversations, {report.data}")


def _head(report: Report) -> Iterator[str]:
    yield _text("title", MARGIN, 38, _title(report))
    machine = report.machine
    yield _text(
        "soft", MARGIN, 60,
        escape(
            f"korad {report.korad_version} {report.git_commit[:10]}, {machine.processor}, "
            f"{machine.python}, {report.made_at[:10]}"
        ),
    )  # fmt: skip


def _foot(bottom: int) -> Iterator[str]:
    yield _text(
        "soft", MARGIN, bottom + 24,
        "Cost is simulated. OpenAI caches by itself; for Claude korad sets marks, the client none "
        "(tick: a client that marks ideally). Red: dearer, facts lost at low or medium, or a rule "
        "broken.",
    )  # fmt: skip
    yield _text(
        "soft", MARGIN, bottom + 42,
        "Facts: needles, answers, rows, values and outliers whose text is still in the prompt "
        "(words only where there is nothing else). No model was asked.",
    )  # fmt: skip


def _names(report: Report, name: str, top: int, bars_left: int) -> Iterator[str]:
    yield _text("name", MARGIN, top + GROUP_GAP / 2 + 12, escape(name))
    requests = max(family_of(level, name).requests for level in report.levels.values())
    yield _text("soft", MARGIN, top + GROUP_GAP / 2 + 29, f"{requests:,} requests")
    for row, level in enumerate(report.levels):
        baseline = _row_top(top, row) + BAR_HEIGHT - 1
        yield _text("soft end", bars_left - 8, baseline, escape(level))


def _panel(
    report: Report, names: list[str], kind: str, place: tuple[int, int, int]
) -> Iterator[str]:
    left, size, bottom = place
    bars_width = size - NOTE_WIDTHS[kind]
    titles = {
        "tokens": ("Tokens saved", "and facts kept"),
        "cost": ("Input cost saved", "upper bar OpenAI; lower Claude, tick: ideal client"),
        "time": ("CPU ms per 100 KB", "median; faint: new, solid: seen before"),
    }
    title, subtitle = titles[kind]
    yield _text("head", left, TOP - 42, title)
    yield _text("soft", left, TOP - 25, subtitle)
    top_value = _longest_time(report, names) if kind == "time" else 100
    marks = [0, top_value / 2, top_value] if kind == "time" else PER_CENT_MARKS
    for mark in marks:
        x = left + bars_width * mark / top_value
        yield f'<path class="{"axis" if not mark else "grid"}" d="M{x:.1f} {TOP}V{bottom}"/>'
        label = f"{mark:g}" if kind == "time" else f"{mark:g} %"
        yield _text("soft mid", x, TOP - 7, label)
    group_height = ROW_HEIGHT * len(report.levels) + GROUP_GAP
    for at, name in enumerate(names):
        for row, (level_name, level) in enumerate(report.levels.items()):
            top = _row_top(TOP + at * group_height, row)
            family = family_of(level, name)
            scale = bars_width / top_value
            bars = {"tokens": _tokens_row, "cost": _cost_row, "time": _time_row}[kind]
            yield from bars(family, level_name, (left, top, scale))


def _row_top(group_top: float, row: int) -> float:
    return group_top + GROUP_GAP / 2 + row * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2


def _tokens_row(family: Family, level: str, place: tuple[float, float, float]) -> Iterator[str]:
    left, top, scale = place
    saved = max(0.0, 100 * family.reduction)
    yield _rect(level, left, top, saved * scale, BAR_HEIGHT)
    kept = family.kept
    share = kept.share if kept.total else 1.0
    note, style = f"{100 * family.reduction:.1f} %", ""
    if kept.total:
        note += f" · {_kept(share)}"
    if family.violations:
        note += " ✗"
    if family.violations or (share < FULL and level in ("low", "medium")):
        style = "bad"
    yield _text(style, left + saved * scale + 6, top + BAR_HEIGHT - 1, note)


def _kept(share: float) -> str:
    """Return a share in per cent, never rounded up to 100."""
    return "kept 100 %" if share >= FULL else f"kept {min(99.9, 100 * share):.1f} %"


def _cost_row(family: Family, level: str, place: tuple[float, float, float]) -> Iterator[str]:
    left, top, scale = place
    notes = []
    ends = [left]
    for row, provider in enumerate(("openai", "anthropic")):
        saved = -100 * _whole_cost(family, provider).change
        y = top + row * HALF_BAR_HEIGHT
        style = f"{level} pale" if row else level
        if saved < -CHANCE_PERCENT:
            style = "loss"
        length = min(abs(saved), 100) * scale
        yield _rect(style, left, y, length, HALF_BAR_HEIGHT - 1)
        ends.append(left + length)
        notes.append(f"{saved:.0f}" if abs(saved) >= 1 else f"{saved:.1f}".replace("-0.0", "0.0"))
    cost = _whole_cost(family, "anthropic")
    if "anthropic_loops" in family.cost and cost.without:
        x = left + 100 * scale * max(0.0, 1 - cost.ideal / cost.without)
        ends.append(x)
        y = top + HALF_BAR_HEIGHT - 1
        yield f'<path class="ideal" d="M{x:.1f} {y:.1f}v{HALF_BAR_HEIGHT + 1}"/>'
    changes = [100 * _whole_cost(family, one).change for one in ("openai", "anthropic")]
    is_loss = max(changes) > CHANCE_PERCENT
    note = f"{notes[0]} / {notes[1]} %"
    yield _text("bad" if is_loss else "", max(ends) + 6, top + BAR_HEIGHT - 1, note)


def _whole_cost(family: Family, provider: str) -> Cost:
    found = [cost for name, cost in family.cost.items() if name.startswith(provider)]
    return Cost(
        without=sum(cost.without for cost in found),
        with_korad=sum(cost.with_korad for cost in found),
        ideal=sum(cost.ideal for cost in found),
    )


def _time_row(family: Family, level: str, place: tuple[float, float, float]) -> Iterator[str]:
    left, top, scale = place
    time = family.time
    if time is None or time.cold_ms_per_100_kb_p50 is None:
        reason = "not measured" if time is None or not time.requests else "prompts too small"
        yield _text("soft", left + 6, top + BAR_HEIGHT - 1, reason)
        return
    cold, warm = time.cold_ms_per_100_kb_p50, time.warm_ms_per_100_kb_p50 or 0.0
    yield _rect(f"{level} pale", left, top, cold * scale, BAR_HEIGHT)
    yield _rect(level, left, top, warm * scale, BAR_HEIGHT)
    yield _text("", left + cold * scale + 6, top + BAR_HEIGHT - 1, f"{cold:.1f} / {warm:.2f}")


def _longest_time(report: Report, names: list[str]) -> int:
    times = [
        family.time.cold_ms_per_100_kb_p50 or 0.0
        for level in report.levels.values()
        for family in (family_of(level, name) for name in names)
        if family.time is not None
    ]
    longest = max(times, default=1)
    return next((step for step in TIME_STEPS_MS if step >= longest), TIME_STEPS_MS[-1])


def _rect(style: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _text(style: str, x: float, y: float, text: str) -> str:
    name = f' class="{style}"' if style else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}">{text}</text>'
