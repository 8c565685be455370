"""Figures as people read them: three digits, a fitting unit, a name in plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

TIMES = "\u00d7"
TO = "\u2013"
"""Between the ends of an interval."""
SPACE = "\u00a0"
"""Where no line may break."""
NONE = "\u2014"
"""In the place of a figure that was not measured."""

UNITS = (("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9))
RATIO_SMALL, RATIO_LARGE = 0.1, 9.995
APART = 1_000.0
"""How many times the least time the greatest may be in one unit."""
NS_IN = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}

METRIC_NAMES = {
    "e2e": "End to end",
    "ttft": "Time to first token",
    "itl": "Between chunks",
    "tpot": "Time per output token",
    "overhead": "Overhead",
    "chunk_overhead": "Overhead per chunk",
    "lag": "Late sending",
}
METRIC_MEANINGS = {
    "e2e": "from the intended send time to the last byte",
    "ttft": "from the intended send time to the first chunk with text",
    "itl": "from one chunk with text to the next",
    "tpot": "after the first token",
    "overhead": "end to end, less the provider\u2019s own time",
    "chunk_overhead": "from the provider\u2019s write to the client\u2019s read",
    "lag": "from the intended to the real send time, by the load itself",
}
FIGURE_NAMES = {
    "cpu_us_per_request": "CPU time per request",
    "cpu_us_per_chunk": "CPU time per chunk",
    "requests_per_s": "Requests per second",
    "tokens_per_s": "Tokens per second",
    "goodput": "Goodput",
    "errors": "Errors",
    "kib_per_stream": "Memory per stream",
    "pss_mib_max": "Memory at most",
    "knee_rate": "Knee",
}
MORE_IS_BETTER = ("requests_per_s", "tokens_per_s", "goodput", "knee_rate")
_TIMED = re.compile(r"(?P<metric>[a-z0-9_]+)_(?P<point>p\d+|mean|max)_(?P<unit>ns|us|ms|s)")
_POINTS = {"p999": "p99.9", "p9999": "p99.99", "max": "at most"}


def digits(value: float) -> str:
    """Write three significant digits, and all of a bigger number: 0.0123, 1.23, 45.6, 1,234."""
    size = abs(value)
    if size == 0:
        return "0"
    if not math.isfinite(value):
        return NONE
    decimals = next((n for n, least in ((0, 99.95), (1, 9.995), (2, 0.9995)) if size >= least), 3)
    return f"{value:,.{decimals}f}"


def time_text(ns: float) -> str:
    """Write a time: 850 ns, 94.2 µs, 1.42 ms, 3.05 s."""
    name, size = next((unit for unit in UNITS if abs(ns) < 999.5 * unit[1]), UNITS[-1])
    return f"{digits(ns / size)}{SPACE}{name}" if ns else "0"


def tick_text(ns: float) -> str:
    """Write a round time without what is not needed: 200 µs, 1 ms."""
    fitting = [(name, size) for name, size in UNITS if abs(ns) >= size]
    if not fitting:
        return "0"
    name, size = fitting[-1]
    return f"{ns / size:g} {name}"


def column_unit(values_ns: Sequence[float]) -> tuple[str, Callable[[float], str]]:
    """Choose one unit and precision for a column of times: its name, and what writes them.

    Times too far apart for one unit are written each in its own, and the name is empty.
    """
    known = [value for value in values_ns if value > 0]
    least = min(known, default=UNITS[0][1])
    if max(known, default=least) / least > APART:
        return "", time_text
    name, size = next((unit for unit in reversed(UNITS) if least >= 0.1 * unit[1]), UNITS[0])
    decimals = next((n for n, from_ in ((0, 100), (1, 10), (2, 1)) if least / size >= from_), 3)
    return name, lambda ns: f"{ns / size:,.{decimals}f}"


def count_text(count: float) -> str:
    """Write a whole number with its thousands apart."""
    return f"{count:,.0f}"


def rate_text(rate: float) -> str:
    """Write a rate: 12.5/s, 1,250/s."""
    return f"{digits(rate)}/s"


def share_text(share: float) -> str:
    """Write a share in per cent, and never 100 % or 0 % for what only comes near."""
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        text = f">{SPACE}99.9"
    elif text == "0.0" and share > 0:
        text = f"<{SPACE}0.1"
    return f"{text.removesuffix('.0')}{SPACE}%"


def ratio_digits(ratio: float) -> str:
    """Write a ratio: two decimals about 1, three digits elsewhere."""
    return f"{ratio:.2f}" if RATIO_SMALL <= ratio < RATIO_LARGE else digits(ratio)


def ratio_text(ratio: float) -> str:
    """Write how many times: 1.31 x (with its own sign)."""
    return f"{ratio_digits(ratio)}{SPACE}{TIMES}"


def interval_text(low: float, high: float) -> str:
    """Write an interval of ratios."""
    return f"{ratio_digits(low)}{TO}{ratio_digits(high)}"


def figure_name(figure: str) -> str:
    """Say a check's or ratio's figure in words: "Overhead, p99"."""
    if timed := _TIMED.fullmatch(figure):
        metric = METRIC_NAMES.get(timed["metric"], timed["metric"])
        return f"{metric}, {_POINTS.get(timed['point'], timed['point'])}"
    return FIGURE_NAMES.get(figure, figure.replace("_", " "))


def figure_value(figure: str, value: float | None) -> str:
    """Write a figure's value in the unit that its name tells."""
    if value is None:
        return NONE
    if timed := _TIMED.fullmatch(figure):
        return time_text(value * NS_IN[timed["unit"]])
    if "_us" in figure:
        return time_text(value * 1e3)
    if figure == "goodput":
        return share_text(value)
    if figure.startswith("kib_"):
        return f"{digits(value)} KiB"
    if "_mib" in figure:
        return f"{digits(value)} MiB"
    if figure.endswith("_per_s"):
        return rate_text(value)
    return count_text(value) if value == int(value) else digits(value)
