"""What a result says, in words: the headline, what makes it invalid, and the figures to show."""

from __future__ import annotations

import re
from collections.abc import Callable

from bench.load.report.units import (
    SPACE,
    digits,
    figure_name,
    figure_value,
    rate_text,
    ratio_text,
    share_text,
    time_text,
)
from bench.load.result import (
    Check,
    Figures,
    Histogram,
    Percentiles,
    Ratio,
    Resources,
    Result,
    TargetResult,
)

_CHECK = re.compile(
    r"(?P<figure>[A-Za-z_]\w*)\s*(?P<sign><=|>=|==|<|>)\s*(?P<limit>[-+]?\d*\.?\d+(?:e[-+]?\d+)?)",
    re.IGNORECASE,
)
_SIGNS = {"<=": "\u2264", ">=": "\u2265", "==": "="}

OWN = "korad"
"""A target with this in its name is what the run is about; without one, the last target is."""

FAILED_MOST = 0.01
"""Above this share of failed requests they are the main finding."""

MUCH_LESS = 0.5
"""Below this ratio a reader rather hears how many times less it is."""


def invalid_reasons(result: Result) -> list[str]:
    """Return why figures must not be used, a line a target: of all blocks or else of the first.

    Of a ladder only the first rung counts: one may well end where the client can do no more.
    """
    found = (
        (t.name, (t.ladder[0].figures,) if t.ladder else (t.total, *t.blocks))
        for t in result.targets
    )
    firsts = (
        (name, next((f.client.invalid for f in every if f.client.invalid), None))
        for name, every in found
    )
    return [f"{name}: {reason}" for name, reason in firsts if reason is not None]


def common_rate(result: Result) -> float | None:
    """Return the highest rate of a ladder that every target kept; None: no ladder, or none."""
    kept = [{rung.rate for rung in t.ladder if rung.kept} for t in result.targets]
    shared = set.intersection(*kept) if kept else set()
    return max(shared, default=None)


def is_ladder(result: Result) -> bool:
    """Tell whether rates rose during the run."""
    return any(target.ladder for target in result.targets)


def shown(result: Result, target: TargetResult) -> Figures:
    """Return the figures that stand for a target: all blocks, or the highest common rung."""
    rate = common_rate(result)
    rungs = [rung.figures for rung in target.ladder if rung.rate == rate]
    return rungs[0] if rungs else target.total


def percentiles_of(figures: Figures, metric: str) -> Percentiles | None:
    """Return a metric's percentiles if anything was measured."""
    histogram: Histogram | None = figures.histograms.get(metric)
    if histogram is None or histogram.percentiles.count == 0:
        return None
    return histogram.percentiles


def failed(figures: Figures) -> int:
    """Return the number of requests with an error."""
    return sum(figures.errors.values())


def goodput(figures: Figures) -> float | None:
    """Return the share of requests that were good; without an SLO those without an error."""
    if figures.goodput is not None:
        return figures.goodput
    stayed = figures.started - figures.left
    return figures.ok / stayed if stayed > 0 else None


def subject(result: Result) -> TargetResult:
    """Return the target that the run is about."""
    own = [target for target in result.targets if OWN in target.name.lower()]
    return own[0] if own else result.targets[-1]


def check_words(check: Check) -> str:
    """Say a check in words, value and limit in the same kind of unit."""
    found = _CHECK.search(check.text)
    if found is None:
        return f"{check.target}: {check.text}"
    figure, sign, limit = found["figure"], found["sign"], float(found["limit"])
    value = "not measured" if check.value is None else figure_value(figure, check.value)
    bound = f"{_SIGNS.get(sign, sign)} {figure_value(figure, limit)}"
    return f"{check.target}: {figure_name(figure)}: {value} (limit {bound})"


def headline(result: Result) -> str:
    """Say the main finding in one sentence."""
    if not result.targets:
        return "Nothing was measured"
    about = subject(result)
    others = [target for target in result.targets if target is not about]
    against = others[0] if others else None
    first = _knee(about, against) if is_ladder(result) else _latency(result, about, against)
    parts = [first, _processor(result, about, others)]
    figures = shown(result, about)
    if (bad := failed(figures)) and not is_ladder(result):
        share = bad / max(figures.started, 1)
        if share > FAILED_MOST:
            # What the few others took is not the finding.
            parts.insert(0, f"{share_text(share)} of {about.name}'s requests failed")
        else:
            parts.append(f"{share_text(share)} of its requests failed")
    return "; ".join(part for part in parts if part)


def ratio_of(
    result: Result, about: TargetResult, against: TargetResult, figure: str
) -> Ratio | None:
    """Return the ratio with its interval, turned round if it was taken the other way."""
    for ratio in result.ratios:
        if ratio.figure != figure:
            continue
        if (ratio.target, ratio.baseline) == (about.name, against.name):
            return ratio
        if (ratio.baseline, ratio.target) == (about.name, against.name) and ratio.low > 0:
            return Ratio(
                target=about.name,
                baseline=against.name,
                figure=figure,
                ratio=1 / ratio.ratio,
                low=1 / ratio.high,
                high=1 / ratio.low,
            )
    return None


def resources_of(result: Result, target: TargetResult) -> Resources | None:
    """Return what a target took, over the whole run where the rung has no figures."""
    return shown(result, target).resources or target.total.resources


def _latency(result: Result, about: TargetResult, against: TargetResult | None) -> str:
    figures = shown(result, about)
    metric = "ttft" if percentiles_of(figures, "ttft") else "e2e"
    what = " to the first token" if metric == "ttft" else ""
    own = percentiles_of(figures, metric)
    other = percentiles_of(shown(result, against), metric) if against else None
    if own is None:
        return f"{about.name} answered nothing"
    if against is None or other is None:
        added = percentiles_of(figures, "overhead")
        if added is not None:
            return f"{about.name} adds {time_text(added.p99_ns)} at p99"
        when = f"{what} at {rate_text(figures.requests_per_s)}"
        return f"{about.name} takes {time_text(own.p99_ns)} at p99{when}"
    more = own.p99_ns - other.p99_ns
    ratio = ratio_of(result, about, against, f"{metric}_p99_ms")
    if ratio is not None and ratio.low <= 1 <= ratio.high:
        when = "time to first token" if metric == "ttft" else "latency"
        return f"{about.name} and {against.name} do not differ clearly in {when} at p99"
    if more >= 0:
        return f"{about.name} adds {time_text(more)}{what} at p99 over {against.name}"
    return f"{about.name} is {time_text(-more)} faster{what} at p99 than {against.name}"


def _knee(about: TargetResult, against: TargetResult | None) -> str:
    if about.knee_rate is None:
        return f"{about.name} keeps not even the lowest rate"
    text = f"{about.name} holds {digits(about.knee_rate)} requests/s"
    if about.ladder and about.ladder[-1].kept:
        text += " and more"
    if against is not None and against.knee_rate:
        text += f", {ratio_text(about.knee_rate / against.knee_rate)}{SPACE}{against.name}"
    return text


def _processor(result: Result, about: TargetResult, others: list[TargetResult]) -> str:
    own = resources_of(result, about)
    if own is None:
        return ""
    kinds: list[tuple[str, str, Callable[[Resources], float | None]]] = [
        ("chunk", "cpu_us_per_chunk", lambda r: r.cpu_us_per_chunk),
        ("request", "cpu_us_per_request", lambda r: r.cpu_us_per_request),
    ]
    for unit, figure, read in kinds:
        value = read(own)
        if value is None:
            continue
        text = f"{time_text(value * 1e3)} CPU a {unit}"
        for other in others:
            theirs = resources_of(result, other)
            base = read(theirs) if theirs else None
            if base:
                exact = ratio_of(result, about, other, figure)
                return f"{text}, {_times(exact.ratio if exact else value / base, other.name)}"
        return text
    return ""


def _times(ratio: float, other: str) -> str:
    if ratio < MUCH_LESS:
        return f"{ratio_text(1 / ratio)} less than {other}"
    return f"{ratio_text(ratio)}{SPACE}{other}"
