"""The page's sections in the order a reader asks; one without data is an empty text."""

from __future__ import annotations

from functools import partial
from html import escape

from bench.load.report import ladder, percentiles, resources, tables, timeline, versus
from bench.load.report.findings import common_rate, is_ladder, resources_of, shown
from bench.load.report.layout import Picture, column, note, pairs, section, terms
from bench.load.report.units import (
    METRIC_MEANINGS,
    METRIC_NAMES,
    digits,
    rate_text,
    share_text,
    time_text,
)
from bench.load.result import Client, Result

DRAWN = ("e2e", "ttft", "itl", "chunk_overhead", "overhead")
"""Metrics with a drawing, the first one large; all are in the table."""


def glance(result: Result) -> str:
    """Return a row a target with what matters most."""
    if not result.targets:
        return ""
    return section("At a glance", note(_rung(result)), tables.summary(result))


def latency(result: Result) -> str:
    """Return latency by percentile, a drawing for each metric."""
    figures = [(target.name, shown(result, target)) for target in result.targets]
    found = [(m, curves) for m in DRAWN if (curves := percentiles.curves_of(figures, m))]
    if not found:
        return ""
    pictures = [
        Picture(
            METRIC_NAMES[metric], partial(percentiles.draw, curves, metric), METRIC_MEANINGS[metric]
        )
        for metric, curves in found
    ]
    told = f"{_rung(result)} {percentiles.note(found[0][1])}".strip()
    first, rest = pictures[:1], pictures[1:]
    return section("Latency by percentile", note(told), column(first), pairs(rest))


def climb(result: Result) -> str:
    """Return what became of rates that rose."""
    climbs = ladder.climbs_of(result.targets)
    if not climbs:
        return ""
    planned = result.scenario.get("ladder")
    least = planned.get("goodput_min") if isinstance(planned, dict) else None
    least_good = float(least) if isinstance(least, (int, float)) else None
    picture = Picture("", partial(ladder.draw, climbs, least_good))
    return section("The ladder", note(ladder.note(least_good)), column([picture]))


def against(result: Result) -> str:
    """Return each target's figures as multiples of the first target's."""
    found = {t.name: versus.drawable(result.ratios, t.name) for t in result.targets}
    every = [ratio for ratios in found.values() for ratio in ratios]
    if not every:
        return ""
    pictures = [
        Picture(name, partial(versus.draw, n, ratios, every))
        for n, (name, ratios) in enumerate(found.items())
        if ratios
    ]
    return section("Target against target", note(versus.note(result.ratios)), column(pictures))


def course(result: Result) -> str:
    """Return each target second by second; of a ladder nothing, its rates say it all."""
    courses = [] if is_ladder(result) else timeline.courses_of(result.targets)
    if not courses:
        return ""
    shared = timeline.limits(courses)
    pictures = [Picture(c.name, partial(timeline.draw, c, shared)) for c in courses]
    told = timeline.note(courses, shared[1])
    set_out = column if len(pictures) % 2 else pairs
    return section("Second by second", note(told), set_out(pictures))


def taken(result: Result) -> str:
    """Return CPU time and memory."""
    known = [(target.name, resources_of(result, target)) for target in result.targets]
    found = [(kind, bars) for kind in resources.KINDS if (bars := resources.bars_of(kind, known))]
    if not found:
        return ""
    pictures = [Picture(kind.title, partial(resources.draw, kind, bars)) for kind, bars in found]
    several = any(len(bars) > 1 for _, bars in found)
    told = "Of the target\u2019s whole process tree."
    told += " Multiples are of the first bar." if several else ""
    return section("Resources", note(told), pairs(pictures))


def errors(result: Result) -> str:
    """Return errors by class."""
    table = tables.errors(result)
    return section("Errors by class", table) if table else ""


def every_figure(result: Result) -> str:
    """Return all percentiles and counts."""
    if not result.targets:
        return ""
    return section(
        "All figures", note(_rung(result)), tables.percentiles(result), tables.more(result)
    )


def method(result: Result) -> str:
    """Return where and how it was measured."""
    machine = result.machine
    cores = "core" if machine.cores == 1 else "cores"
    memory = f"{digits(machine.memory_gib)} GiB"
    known = [
        ("machine", f"{machine.processor}, {machine.cores} {cores}, {memory}"),
        ("system", f"{machine.kernel}, {machine.python}"),
        ("bench", f"{result.bench_version}, commit {result.git_commit}"),
        ("started", result.started_at),
        ("seed", str(result.seed)),
        *((f"target {t.name}", f"{t.url}, model {t.model}") for t in result.targets),
        *((f"load on {t.name}", _load(t.total.client)) for t in result.targets),
    ]
    settings = list(tables.scenario_terms(result))
    return section(
        "How it was measured",
        terms(known),
        f"<pre>{escape(result.command)}</pre>",
        "<h3>Scenario</h3>",
        terms(settings, "even"),
    )


def _rung(result: Result) -> str:
    if not is_ladder(result):
        return ""
    rate = common_rate(result)
    if rate is None:
        return "No rate was kept by every target: figures of the whole ladder."
    return f"At {rate_text(rate)}, the highest rate that every target kept."


def _load(client: Client) -> str:
    plural = "process" if client.processes == 1 else "processes"
    told = f"{client.processes} {plural}, the busiest at {share_text(client.cpu_share)} of a core"
    told += f"; sent {time_text(client.lag_p99_ns)} late at p99"
    return f"{told}; {client.shed:,} shed" if client.shed else told
