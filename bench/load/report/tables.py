"""The page's tables: the summary, errors by class, every percentile, and how it was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from bench.load.report.columns import Column, filled, good, taken, taken_us, timed
from bench.load.report.findings import failed, percentiles_of, shown
from bench.load.report.svg import COLOURS
from bench.load.report.units import (
    METRIC_MEANINGS,
    METRIC_NAMES,
    NONE,
    column_unit,
    count_text,
    digits,
    rate_text,
    share_text,
)
from bench.load.result import METRICS, Percentiles, Result

Cell = tuple[str, str]
"""A cell's HTML and its class."""

PERCENTILES: tuple[tuple[str, Callable[[Percentiles], float]], ...] = (
    ("mean", lambda p: p.mean_ns),
    ("p50", lambda p: p.p50_ns),
    ("p90", lambda p: p.p90_ns),
    ("p99", lambda p: p.p99_ns),
    ("p99.9", lambda p: p.p999_ns),
    ("max", lambda p: p.max_ns),
)


SUMMARY: tuple[Column, ...] = (
    ("good requests", lambda f, _: rate_text(f.requests_per_s)),
    ("goodput", good),
    ("p50", timed("e2e", lambda p: p.p50_ns)),
    ("p99", timed("e2e", lambda p: p.p99_ns)),
    ("first token p99", timed("ttft", lambda p: p.p99_ns)),
    ("overhead p99", timed("overhead", lambda p: p.p99_ns)),
    ("overhead a chunk p99", timed("chunk_overhead", lambda p: p.p99_ns)),
    ("CPU a request", taken_us(lambda r: r.cpu_us_per_request)),
    ("CPU a chunk", taken_us(lambda r: r.cpu_us_per_chunk)),
    ("memory", taken(lambda r: r.pss_mib_max, lambda mib: f"{digits(mib)} MiB")),
)
MORE: tuple[Column, ...] = (
    ("seconds", lambda f, _: digits(f.seconds)),
    ("started", lambda f, _: count_text(f.started)),
    ("answered well", lambda f, _: count_text(f.ok)),
    ("failed", lambda f, _: count_text(failed(f))),
    ("left as planned", lambda f, _: count_text(f.left)),
    ("chunks", lambda f, _: count_text(f.chunks) if f.chunks else NONE),
    ("tokens", lambda f, _: rate_text(f.tokens_per_s) if f.tokens_per_s else NONE),
    ("CPU, of a core", taken(lambda r: r.cpu_share, share_text)),
    ("memory at start", taken(lambda r: r.pss_mib_start, lambda mib: f"{digits(mib)} MiB")),
    ("memory a stream", taken(lambda r: r.kib_per_stream, lambda kib: f"{digits(kib)} KiB")),
    ("descriptors", taken(lambda r: r.descriptors_max, count_text)),
)


def summary(result: Result) -> str:
    """Return a row a target with what matters most; columns without a figure are left out."""
    return _by_target(result, SUMMARY)


def more(result: Result) -> str:
    """Return the counts and resources that the summary leaves out."""
    return _by_target(result, MORE)


def errors(result: Result) -> str:
    """Return errors by class, a column a target, and what the first of a class said.

    Empty: there were none.
    """
    classes = sorted({name for t in result.targets for name in t.total.errors})
    totals = {name: sum(t.total.errors.get(name, 0) for t in result.targets) for name in classes}
    classes = sorted((c for c in classes if totals[c]), key=lambda c: -totals[c])
    if not classes:
        return ""
    head = ["class", *(_keyed(n, target.name) for n, target in enumerate(result.targets))]
    rows: list[list[Cell]] = []
    for name in classes:
        said = next((t.total.said[name] for t in result.targets if name in t.total.said), None)
        first = f"<small>the first: {escape(said)}</small>" if said else ""
        cells: list[Cell] = [(escape(name) + first, "")]
        for target in result.targets:
            count = target.total.errors.get(name, 0)
            share = share_text(count / max(target.total.started, 1))
            told = f"<span>{count_text(count)} <small>({share})</small></span>"
            cells.append((told if count else "0", ""))
        rows.append(cells)
    names = [target.name for target in result.targets]
    return _table(head, [_row(cells, names) for cells in rows], "stack single")


def percentiles(result: Result) -> str:
    """Return each metric's percentiles by target, a metric's figures in one unit if they can be."""
    head = ["", "count", *(name for name, _ in PERCENTILES)]
    rows = [row for metric in METRICS for row in _metric_rows(result, metric, len(head))]
    return _table(head, rows, "grid") if rows else ""


def scenario_terms(result: Result) -> Iterator[tuple[str, str]]:
    """Yield the scenario's settings, nested ones by their full name."""
    yield from _flat("", result.scenario)


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(value, (list, tuple)) and value:
        yield prefix, "; ".join(_plain(item) for item in value)
    elif value is not None and value not in ({}, [], ()):
        yield prefix, _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _by_target(result: Result, columns: Sequence[Column]) -> str:
    names, texts = filled(result, columns)
    rows = []
    for n, (target, row) in enumerate(zip(result.targets, texts, strict=True)):
        cells: list[Cell] = [(_keyed(n, target.name), "")]
        for name, text in zip(names, row, strict=True):
            cells.append((text, "bad" if name == "failed" and text != "0" else ""))
        rows.append(_row(cells, names))
    return _table(["", *names], rows, "stack")


def _metric_rows(result: Result, metric: str, width: int) -> Iterator[str]:
    known = [(n, t, percentiles_of(shown(result, t), metric)) for n, t in enumerate(result.targets)]
    values = [read(p) for _, _, p in known if p for _, read in PERCENTILES]
    if not values:
        return
    unit, write = column_unit(values)
    meaning = f"in {unit}, {METRIC_MEANINGS[metric]}" if unit else METRIC_MEANINGS[metric]
    yield (
        f'<tr class="group"><th colspan="{width}" scope="rowgroup">{METRIC_NAMES[metric]} '
        f"<small>{meaning}</small></th></tr>"
    )
    for n, target, p in known:
        if p is None:
            continue
        cells: list[Cell] = [(_keyed(n, target.name), ""), (count_text(p.count), "")]
        cells += [(write(read(p)), "") for _, read in PERCENTILES]
        yield _row(cells)


def _keyed(target: int, name: str) -> str:
    return f'<span class="key c{target % COLOURS}"></span>{escape(name)}'


def _row(cells: Sequence[Cell], names: Sequence[str] = ()) -> str:
    """Return a row; a phone shows each cell with its column's name beside it, where given."""
    (first, _), *rest = cells
    told = ""
    for n, (text, css) in enumerate(rest):
        name = f' data-name="{escape(names[n])}"' if names else ""
        told += f'<td{name} class="{css}">{text}</td>' if css else f"<td{name}>{text}</td>"
    return f'<tr><th scope="row">{first}</th>{told}</tr>'


def _table(head: Sequence[str], rows: Sequence[str], css: str = "") -> str:
    told = "".join(f'<th scope="col">{text}</th>' if text else "<td></td>" for text in head)
    return (
        f'<div class="tables"><table class="{css}"><thead><tr>{told}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
