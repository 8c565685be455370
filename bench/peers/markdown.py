"""`RESULTS.md` from an outcome; what people wrote into it between the marks stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load.result import Ratio
from bench.peers import values
from bench.peers.goals import goals, scaling
from bench.peers.method import METHOD
from bench.peers.outcome import DIRECT, CaseResult, Outcome, PeerNote
from bench.peers.parts import KORAD
from bench.peers.quiet import BUSY_CORES

BEGIN = "<!-- notes: written by hand, kept when this file is made anew -->"
END = "<!-- end of notes -->"
NONE = "-"
_OPEN = ("stream", "rate")
"""Cases whose latencies are told: load that was late spoils them."""
_SMALL = 10.0
"""Below it two decimals are told."""
_LARGE = 100.0
"""From it on none."""


def page(outcome: Outcome) -> str:
    """Return the whole page, its notes empty."""
    parts = [
        "# korad among its peers",
        "Made by `scripts/bench peers --write`, which measures it anew on your machine.",
        _facts(outcome),
        "## CPU time per request, one core",
        _requests(outcome),
        "## Streams",
        _streams(outcome),
        "## 500 requests a second",
        _latencies(outcome),
        "## Two workers",
        _workers(outcome),
        "## Goals",
        _goals(outcome),
        "## Who took part",
        _peers(outcome),
        "## Method",
        METHOD.format(placement=outcome.placement, rounds=_rounds(outcome)).strip(),
        "## Notes",
        f"{BEGIN}\n{END}",
    ]
    return "\n\n".join(parts) + "\n"


def keep_notes(before: str, after: str) -> str:
    """Return the new page with the notes of the one before."""
    _, found, rest = before.partition(BEGIN)
    notes, closed, _ = rest.partition(END)
    if not (found and closed):
        return after
    head, _, tail = after.partition(BEGIN)
    return head + BEGIN + notes + END + tail.partition(END)[2]


# ── tables ───────────────────────────────────────────────────────────────────────────────────────


def _facts(outcome: Outcome) -> str:
    machine = outcome.machine
    short = " **A short run: take the figures as a hint.**" if outcome.short else ""
    busy = ""
    if outcome.others_cores > BUSY_CORES:
        busy = f" **Other work took {outcome.others_cores:.1f} of its cores: run it again.**"
    return (
        f"{outcome.started_at}, {outcome.seconds / 60:.0f} minutes, {machine.processor}, "
        f"{machine.cores} cores, {machine.memory_gib:g} GiB, {machine.kernel}, {machine.python}; "
        f"korad {outcome.korad_version}, commit `{outcome.git_commit or 'unknown'}`, "
        f"seed {outcome.seed}, `{outcome.command}`.{short}{busy}"
    )


def _requests(outcome: Outcome) -> str:
    cases = ("small", "8k", "200k")
    heads = [f"{size}, µs | x nginx" for size in ("300 B", "8 KB", "200 KB")]

    def cells(name: str) -> list[str]:
        found = []
        for case in cases:
            found.append(_number(values.cpu_us(outcome, case, name)))
            found.append(_interval(values.ratio_to_limit(outcome, case, name), name))
        result = values.result_of(outcome, "small", name)
        found.append(_number(result.total.requests_per_s if result else None))
        resources = result.total.resources if result else None
        found.append(f"{resources.cpu_share:.0%}" if resources else NONE)
        return [*found, str(values.failures(outcome, name))]

    wrong = ""
    if outcome.wrong_keys:
        wrong = f" {outcome.wrong_keys:,} requests reached the provider with a wrong key."
    table = _table(outcome, [*heads, "requests/s", "of its core", "failed, all cases"], cells)
    return (
        f"{table}\n\n`requests/s` and the share of its core it took are of 300 B requests: "
        "where it is well below 100 %, load and provider were the limit, not the proxy."
        f"{wrong}{_parts(outcome)}"
    )


def _streams(outcome: Outcome) -> str:
    def cells(name: str) -> list[str]:
        delay = [
            values.latency_us(outcome, "stream", name, "chunk_overhead", each)
            for each in ("p50_ns", "p99_ns")
        ]
        return [
            _number(values.cpu_us(outcome, "stream", name)),
            _interval(values.ratio_to_limit(outcome, "stream", name), name),
            f"{_chunks_per_s(outcome, name)}",
            *map(_number, delay),
            _number(values.kib_per_stream(outcome, name)),
            _streams_open(outcome, name),
        ]

    heads = ["µs per chunk | x nginx", "chunks/s", "delay p50, µs", "p99, µs"]
    return _table(outcome, [*heads, "KiB per slow stream", "slow streams"], cells, direct="stream")


def _latencies(outcome: Outcome) -> str:
    percentiles = ("p50_ns", "p99_ns", "p999_ns")

    def cells(name: str) -> list[str]:
        if name == DIRECT:
            found = [
                values.latency_us(outcome, "rate", name, "e2e", percentile)
                for percentile in percentiles
            ]
            return [*map(_number, found), _rate(outcome, name)]
        added = [values.added_us(outcome, name, percentile) for percentile in percentiles]
        return [*(_signed(each) for each in added), _rate(outcome, name)]

    heads = ["p50, µs", "p99, µs", "p99.9, µs", "requests/s"]
    table = _table(outcome, heads, cells, direct="rate")
    words = f"The line of `{DIRECT}` is whole; the others are what is added to it."
    return f"{table}\n\n{words}{_invalid(outcome.cases)}"


def _workers(outcome: Outcome) -> str:
    workers, times = outcome.workers, scaling(outcome.workers)
    if workers is None or times is None:
        return "Not measured."
    one, two = workers.one.total, workers.two.total
    rates = (
        f"{one.requests_per_s:,.0f} requests/s with one worker, {two.requests_per_s:,.0f} with two"
    )
    if workers.own_cores:
        return f"**{times:.2f} x** one on two cores of their own: {rates}."
    costs = [each.resources.cpu_us_per_request for each in (one, two) if each.resources]
    return (
        "This machine has no cores to spare, so load, provider and korad shared all of them: "
        f"{rates}. A request took {costs[0]:.1f} µs of CPU time with one worker and "
        f"{costs[1]:.1f} with two; on two cores of their own that allows for "
        f"**{times:.2f} x** one worker."
    )


def _goals(outcome: Outcome) -> str:
    lines = ["| goal | measured | kept |", "|---|---|---|"]
    for goal in goals(outcome):
        if goal.value is None:
            lines.append(f"| {goal.text} | {NONE} | not measured |")
        else:
            kept = "yes" if goal.kept else "**no**"
            lines.append(f"| {goal.text} | {_number(goal.value)} {goal.unit} | {kept} |")
    return "\n".join(lines)


def _peers(outcome: Outcome) -> str:
    lines = ["| | version | from | what it does |", "|---|---|---|---|"]
    lines += [
        f"| {peer.name} | {peer.version or NONE} | {peer.origin or NONE} | "
        + (peer.job if peer.skipped is None else f"SKIPPED: {_cell(peer.skipped)}")
        + " |"
        for peer in outcome.peers
    ]
    return "\n".join(lines)


def _table(
    outcome: Outcome,
    heads: Sequence[str],
    cells: Callable[[str], list[str]],
    *,
    direct: str | None = None,
) -> str:
    """Return a table with a line per peer; `direct`: the case whose line without proxy leads it."""
    columns = " | ".join(heads)
    count = columns.count("|") + 1
    lines = [f"| | {columns} |", "|---" + "|---:" * count + "|"]
    if direct is not None and values.result_of(outcome, direct, DIRECT) is not None:
        lines.append(f"| {DIRECT} | {' | '.join(cells(DIRECT))} |")
    lines += [_line(peer, cells, count) for peer in outcome.peers]
    return "\n".join(lines)


def _line(peer: PeerNote, cells: Callable[[str], list[str]], count: int) -> str:
    if peer.skipped is not None:
        return f"| {peer.name} | SKIPPED: {_cell(peer.skipped)}" + " |" * count
    name = f"**{peer.name}**" if peer.name == KORAD else peer.name
    return f"| {name} | {' | '.join(cells(peer.name))} |"


# ── cells ────────────────────────────────────────────────────────────────────────────────────────


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    if abs(value) < _SMALL:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < _LARGE else f"{value:,.0f}"


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{'+' if value >= 0 else ''}{_number(value)}"


def _interval(ratio: Ratio | None, name: str) -> str:
    if ratio is None:
        return "1" if name == "nginx" else NONE
    if ratio.low == ratio.high:
        return f"**{_number(ratio.ratio)}**"
    return f"**{_number(ratio.ratio)}** ({_number(ratio.low)} to {_number(ratio.high)})"


def _cell(text: str) -> str:
    """Return text that does not break out of a table's cell."""
    return " ".join(text.replace("|", "/").split())


def _chunks_per_s(outcome: Outcome, name: str) -> str:
    """Return the rate in the time that CPU was measured in: a stream's tail comes after it."""
    result, each_us = (
        values.result_of(outcome, "stream", name),
        values.cpu_us(outcome, "stream", name),
    )
    if result is None or result.total.resources is None or not each_us:
        return NONE
    return _number(result.total.resources.cpu_share * 1e6 / each_us)


def _streams_open(outcome: Outcome, name: str) -> str:
    result = values.result_of(outcome, "memory", name)
    return NONE if result is None else f"{result.total.started:,}"


def _rate(outcome: Outcome, name: str) -> str:
    result = values.result_of(outcome, "rate", name)
    return NONE if result is None else _number(result.total.requests_per_s)


def _rounds(outcome: Outcome) -> int:
    return max((len(r.blocks) for case in outcome.cases for r in case.results), default=0)


def _parts(outcome: Outcome) -> str:
    """Return a paragraph on which of korad's processes its time is of."""
    found = [case for case in outcome.cases if case.parts]
    if not found:
        return ""
    lines = [
        "",
        "",
        "korad's CPU time by its processes while it was measured:",
        "",
    ]
    names = list(found[0].parts)
    lines += [f"| | {' | '.join(names)} |", "|---" + "|---:" * len(names) + "|"]
    for case in found:
        whole_us = values.cpu_us(outcome, case.name, KORAD)
        cells = [
            f"{_number(whole_us and whole_us * case.parts[name])} µs, {case.parts[name]:.0%}"
            for name in names
        ]
        lines.append(f"| {case.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _invalid(cases: Sequence[CaseResult]) -> str:
    """Return a paragraph on what failed, and on open loops that the client itself limited."""
    found = [
        f"{result.name}, {case.name}: {result.total.client.invalid}"
        for case in cases
        for result in case.results
        if result.total.client.invalid and (case.kind in _OPEN or not result.total.ok)
    ]
    if not found:
        return ""
    listed = "\n".join(f"- {each}" for each in found)
    return f"\n\n**Not to be relied on**:\n\n{listed}"
