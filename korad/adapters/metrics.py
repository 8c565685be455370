"""Counters and histograms in shared memory, rendered as Prometheus text by whoever is asked.

A page holds a directory of series names and one 64-bit cell for each. Counting is an addition on
a memoryview (0.05 us; prometheus_client's multiprocess mode costs 2 to 4), a killed worker's
counts stay, and its successor goes on where it stopped.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Sequence
from struct import Struct

from korad.adapters.shared_pages import METRICS_BYTES, SharedPages
from korad.domain.exchange import ExchangeRecord, Outcome

SERIES_MAX = 1_200
"""Series of one worker. Clients choose model names, so the number of labels is bounded."""
NAME_BYTES_MAX = 384
"""Room for a series with three of the longest labels: a name cut short is not Prometheus text."""
LABEL_BYTES_MAX = 80

OVERHEAD_BUCKETS_US = (25, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000)
DURATION_BUCKETS_US = (
    10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000, 120_000_000, 300_000_000,
)  # fmt: skip

LAG_BUCKETS_US = (1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)
"""The loop's clock tells milliseconds."""

Kind = tuple[str | None, str | None, int, Outcome, str | None]

_CELL_BYTES = 8
_CELLS_BYTES = _CELL_BYTES * (SERIES_MAX + 1)
_TOTALS = (
    'korad_tokens_total{type="prompt"}',
    'korad_tokens_total{type="completion"}',
    "korad_cost_nano_usd_total",
    "korad_billed_nano_usd_total",
    'korad_tokens_total{type="cached_prompt"}',
    "korad_savings_nano_usd_total",
    "korad_overhead_seconds_sum",
    "korad_request_duration_seconds_sum",
)
# Eight additions in one reading and one writing: 4,800 instructions, cell by cell 7,200.
_SUMS = Struct(f"={len(_TOTALS)}q")
_read_sums, _write_sums = _SUMS.unpack_from, _SUMS.pack_into

_HELP = {
    "korad_requests_total": "Exchanges settled, by HTTP status, how they ended and error code.",
    "korad_tokens_total": "Tokens billed, by type.",
    "korad_cost_nano_usd_total": "Provider cost at list price.",
    "korad_billed_nano_usd_total": "Charged to virtual keys.",
    "korad_savings_nano_usd_total": "Saved by smaller prompts, at list price.",
    "korad_inflight": "Exchanges under way.",
    "korad_overhead_seconds": "Time korad itself takes of a non-streaming exchange.",
    "korad_request_duration_seconds": "From the request's arrival to the answer's last byte.",
    "korad_loop_lag_seconds": "How late a turn of the event loop came; ten times a second.",
    "korad_log_lines_dropped_total": "Request log lines nobody took.",
    "korad_transform_failures_total": "Transforms that raised; the text they got stayed as it was.",
    "korad_cache_hits_total": "Requests answered from the response cache.",
    "korad_cache_misses_total": "Requests looked up in the response cache in vain.",
    "korad_cache_redis_hits_total": "Cache hits that came from Redis, not from memory.",
    "korad_cache_redis_failures_total": "Cache lookups that Redis did not answer, or not in time.",
    "korad_cache_redis_dropped_total": "Answers that Redis was not sent, or did not take.",
    "korad_cache_bytes": "Held in memory by the response cache.",
    "korad_inflight_slots": "Exchanges whose billing event is still to be written.",
    "korad_journal_bytes": "Bytes of the journals that the workers write now.",
    "korad_journal_sync_failures_total": "Times the disk refused to keep the journal.",
    "korad_recovered_exchanges_total": "Exchanges billed for a worker that was killed.",
    "korad_books_shipped_total": "Billing events that Redis has taken.",
    "korad_books_duplicates_total": "Events sent again that Redis had already; none counts twice.",
    "korad_books_gaps_total": "Times Redis had less than was sent: it went back in time.",
    "korad_books_rebuilds_total": "Times the books in Redis were rebuilt from the ledger.",
    "korad_books_dropped_holds_total": "Holds of killed processes that were taken out.",
    "korad_books_removed_segments_total": "Journal files deleted: the ledger has all of them.",
    "korad_redis_up": "Whether the bookkeeper reaches Redis.",
    "korad_journal_oldest_unshipped_age": "Seconds that events have waited for Redis.",
    "korad_journal_damaged": "Journals with a damaged frame: nothing behind it is billed.",
    "korad_ledger_lag_events": "Events that Redis has and the ledger has not.",
    "korad_ledger_booked_total": "Events that the ledger has booked.",
    "korad_ledger_conflicts_total": "Events of a known id and another content, kept aside.",
    "korad_worker_starts_total": "Times a worker process was started.",
}


class MetricsPage:
    """One worker's series."""

    __slots__ = (
        "_by_kind", "_cells", "_duration", "_index", "_lag", "_next_name", "_overhead", "_page",
        "_totals",
    )  # fmt: skip

    def __init__(self, page: mmap.mmap) -> None:
        self._page = page
        self._cells = memoryview(page)[:_CELLS_BYTES].cast("q")
        self._index: dict[str, int] = {}
        self._next_name = _CELLS_BYTES
        # A predecessor in this slot may have left series behind: go on with them.
        for name, cell, end in _directory(page):
            self._index[name] = cell
            self._next_name = end
        # Runs of neighbouring cells; made first, while there is certainly room.
        self._totals = self._run(_TOTALS) * _CELL_BYTES
        """Where the sums stand in the page."""
        self._overhead = self._run(_histogram_names("korad_overhead_seconds", OVERHEAD_BUCKETS_US))
        self._duration = self._run(
            _histogram_names("korad_request_duration_seconds", DURATION_BUCKETS_US)
        )
        self._lag = self._run(_histogram_names("korad_loop_lag_seconds", LAG_BUCKETS_US))
        self._by_kind: dict[Kind, int] = {}

    def cell(self, name: str) -> int:
        """Return the cell of a series, made when it is new; cell 0 takes what is over the limit."""
        cell = self._index.get(name)
        if cell is None:
            encoded = name.encode()[:NAME_BYTES_MAX]
            end = self._next_name + 2 + len(encoded)
            cell = len(self._index) + 1
            if cell > SERIES_MAX or end + 2 > METRICS_BYTES:
                return 0
            self._page[self._next_name + 2 : end] = encoded
            self._page[self._next_name : self._next_name + 2] = len(encoded).to_bytes(2, "little")
            self._next_name = end
            self._index[name] = cell
        return cell

    def add(self, name: str, amount: int = 1) -> None:
        """Add to a series by name."""
        self._cells[self.cell(name)] += amount

    def set(self, name: str, amount: int) -> None:
        """Set a gauge."""
        self._cells[self.cell(name)] = amount

    def note(self, record: ExchangeRecord) -> None:
        """Count one settled exchange."""
        cells = self._cells
        kind = (record.provider, record.model, record.status, record.outcome, record.error_code)
        cells[self._by_kind.get(kind) or self._cell_of(kind)] += 1
        overhead_us, duration_us = record.overhead_us, record.duration_us
        if overhead_us is not None:
            cells[self._overhead + bisect_left(OVERHEAD_BUCKETS_US, overhead_us)] += 1
        cells[self._duration + bisect_left(DURATION_BUCKETS_US, duration_us)] += 1
        page, at = self._page, self._totals
        prompt, completion, cost, billed, cached, saved, overhead, duration = _read_sums(page, at)
        usage, charge = record.usage, record.charge
        if usage is not None and charge is not None:
            prompt += usage.prompt_tokens
            completion += usage.completion_tokens
            cost += charge.cost_nano_usd
            billed += charge.billed_nano_usd
            cached += usage.cached_prompt_tokens or 0
            saved += record.savings_nano_usd
        overhead += overhead_us or 0
        duration += duration_us
        _write_sums(page, at, prompt, completion, cost, billed, cached, saved, overhead, duration)

    def note_lag(self, lag_us: int) -> None:
        """Count how late a turn of the event loop came."""
        self._cells[self._lag + bisect_left(LAG_BUCKETS_US, lag_us)] += 1
        self.add("korad_loop_lag_seconds_sum", lag_us)

    def _cell_of(self, kind: Kind) -> int:
        provider, model, status, outcome, error_code = kind
        cell = self.cell(
            f'korad_requests_total{{provider="{_label(provider)}",model="{_label(model)}",'
            f'code="{status}",outcome="{outcome.value}",error="{_label(error_code)}"}}'
        )
        if len(self._by_kind) >= SERIES_MAX:
            self._by_kind = {}
        self._by_kind[kind] = cell
        return cell

    def _run(self, names: Sequence[str]) -> int:
        """Return the first of the consecutive cells for `names`."""
        cells = [self.cell(name) for name in names]
        return cells[0]


class Metrics:
    """One worker's own page, and the view over all of them."""

    def __init__(self, pages: SharedPages, worker: int) -> None:
        self._pages = pages.metrics
        self.own = MetricsPage(pages.metrics[worker])
        self.own.add("korad_worker_starts_total")

    def render(self) -> bytes:
        """Return the sums over all workers in Prometheus' text format 0.0.4."""
        sums: dict[str, int] = {}
        for page in self._pages:
            cells = memoryview(page)[:_CELLS_BYTES].cast("q")
            for name, cell, _ in _directory(page):
                sums[name] = sums.get(name, 0) + cells[cell]
            cells.release()
        lines: list[str] = []
        for family in sorted({name.partition("{")[0] for name in sums}):
            lines += _render_family(family, {n: v for n, v in sums.items() if _is_of(n, family)})
            if f"{family}_sum" in sums:
                lines.append(f"{family}_sum {sums[f'{family}_sum'] / 1e6:.6f}")
        return ("\n".join(lines) + "\n").encode()


def _directory(page: mmap.mmap) -> list[tuple[str, int, int]]:
    """Return (name, cell, where the next name begins) of every series in a page."""
    found: list[tuple[str, int, int]] = []
    position = _CELLS_BYTES
    while position + 2 <= METRICS_BYTES:
        size = int.from_bytes(page[position : position + 2], "little")
        if not size:
            break
        name = page[position + 2 : position + 2 + size].decode("utf-8", "replace")
        position += 2 + size
        found.append((name, len(found) + 1, position))
    return found


def _histogram_names(family: str, buckets: tuple[int, ...]) -> list[str]:
    names = [f'{family}{{le="{bound / 1e6:g}"}}' for bound in buckets]
    return [*names, f'{family}{{le="+Inf"}}']


def _is_of(name: str, family: str) -> bool:
    return name.partition("{")[0] == family


def _render_family(family: str, series: dict[str, int]) -> list[str]:
    if family.endswith("_seconds_sum"):
        return []
    histogram = family.endswith("_seconds")
    gauge = not histogram and not family.endswith("_total")
    kind = "histogram" if histogram else "gauge" if gauge else "counter"
    lines = [f"# HELP {family} {_HELP.get(family, family)}", f"# TYPE {family} {kind}"]
    if not histogram:
        return lines + [f"{name} {amount}" for name, amount in series.items()]
    total = 0
    for name, amount in series.items():
        total += amount
        lines.append(f"{name.replace('{', '_bucket{', 1)} {total}")
    lines.append(f"{family}_count {total}")
    return lines


def _label(text: str | None) -> str:
    """Return text as a label value: printable, short, escaped."""
    if text is None:
        return ""
    clean = "".join(c if c.isprintable() and c not in '"\\' else "_" for c in text)
    return clean.encode()[:LABEL_BYTES_MAX].decode("utf-8", "ignore")
