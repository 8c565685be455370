"""Tell a report as text: what fits a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.optimizer.figures import Family, Level, Report

TOTAL = "all"
_NAME_CHARS, _NUMBER_CHARS, _CELL_CHARS = 34, 9, 13
_COSTS = (
    ("openai_loops", "OpenAI, loops"),
    ("openai_one_shots", "OpenAI, one-shots"),
    ("anthropic_loops", "Claude, loops"),
    ("anthropic_one_shots", "Claude, one-shots"),
)


def table(report: Report) -> str:
    """Return the report's tables: reduction, retention, cost, time, violations."""
    lines = [
        f"korad {report.korad_version} {report.git_commit[:12]}",
        f"{report.data}: {report.conversations} conversations, {report.seconds:.0f} s",
        f"{report.machine.processor}, {report.machine.python}",
    ]
    for section in (_reduction, _retention, _cost, _time, _violations):
        lines += ["", *section(report)]
    return "\n".join(lines) + "\n"


def names_of(report: Report) -> list[str]:
    """Return the families of a report."""
    return list(dict.fromkeys(name for one in report.levels.values() for name in one.families))


def family_of(level: Level, name: str) -> Family:
    """Return a family's figures, those of all for `TOTAL`."""
    return level.total if name == TOTAL else level.families.get(name, Family())


def _head(report: Report, title: str, number: str) -> str:
    cells = "".join(level.rjust(_CELL_CHARS) for level in report.levels)
    return f"{title.ljust(_NAME_CHARS)}{number.rjust(_NUMBER_CHARS)}{cells}"


def _row(report: Report, name: str, number: int, family: str, tell: Callable[[Family], str]) -> str:
    cells = [tell(family_of(level, family)) for level in report.levels.values()]
    return (
        name.ljust(_NAME_CHARS)
        + (f"{number:,}" if number else "").rjust(_NUMBER_CHARS)
        + "".join(cell.rjust(_CELL_CHARS) for cell in cells)
    )


def _any(report: Report, name: str) -> Family:
    return family_of(next(iter(report.levels.values())), name)


def _reduction(report: Report) -> Iterator[str]:
    yield _head(report, "tokens saved, %", "requests")
    for name in [*names_of(report), TOTAL]:
        requests = _any(report, name).requests
        yield _row(report, name, requests, name, lambda one: f"{100 * one.reduction:.1f}")


def _retention(report: Report) -> Iterator[str]:
    yield _head(report, "facts kept, %", "facts")
    for name in [*names_of(report), TOTAL]:
        for kind, first in sorted(_any(report, name).retention.items()):

            def tell(family: Family, kind: str = kind) -> str:
                kept = family.retention.get(kind)
                return "-" if kept is None else f"{100 * kept.share:.2f}"

            yield _row(report, f"{name} {kind}", first.total, name, tell)


def _cost(report: Report) -> Iterator[str]:
    yield _head(report, "input cost without korad = 0, %", "requests")
    for name in [*names_of(report), TOTAL]:
        for key, title in _COSTS:
            cost = _any(report, name).cost.get(key)
            if cost is None:
                continue

            def tell(family: Family, key: str = key) -> str:
                return f"{100 * family.cost[key].change:+.1f}" if key in family.cost else "-"

            def tell_ideal(family: Family, key: str = key) -> str:
                found = family.cost.get(key)
                return "-" if found is None else f"{100 * found.change_from_ideal:+.1f}"

            yield _row(report, f"{name}: {title}", cost.requests, name, tell)
            if key == "anthropic_loops":
                yield _row(report, "  ... ideal client = 0", 0, name, tell_ideal)


def _time(report: Report) -> Iterator[str]:
    for title, key in (
        ("CPU ms per 100 KB, new prompt", "cold_ms_per_100_kb"),
        ("CPU ms per 100 KB, seen before", "warm_ms_per_100_kb"),
        ("CPU ms per request, new prompt", "cold_ms"),
    ):
        yield _head(report, f"{title}: p50 / p99", "requests")
        for name in [*names_of(report), TOTAL]:
            first = _any(report, name).time
            if first is None:
                continue
            number = first.large_requests if "100_kb" in key else first.requests

            def tell(family: Family, key: str = key) -> str:
                p50, p99 = (getattr(family.time, f"{key}_p{p}", None) for p in (50, 99))
                return "-" if p50 is None else f"{p50:.2f}/{p99:.2f}"

            if number:
                yield _row(report, name, number, name, tell)
        yield ""


def _violations(report: Report) -> Iterator[str]:
    pairs = _any(report, TOTAL).prefix_pairs
    yield _head(report, f"violations ({pairs:,} prefix pairs)", "")
    rules = sorted({rule for one in report.levels.values() for rule in one.total.violations})
    for rule in rules:
        yield _row(report, rule, 0, TOTAL, _count_of(rule))
    if not rules:
        yield "none"
    for name, level in report.levels.items():
        for transform, count in level.failures.items():
            yield f"{name}: {transform} raised {count} times"
        for example in level.examples:
            yield f"{name}: {example.conversation} at {example.at}: {example.what} {example.detail}"


def _count_of(rule: str) -> Callable[[Family], str]:
    return lambda family: str(family.violations.get(rule, 0))
