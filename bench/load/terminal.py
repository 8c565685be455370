"""A run on the terminal: how it goes while it goes, and the final table."""

from __future__ import annotations

import shutil
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TextIO

from bench.load.progress import Progress
from bench.load.report.columns import Column, filled, good, taken, taken_us, timed
from bench.load.report.findings import (
    check_words,
    failed,
    headline,
    invalid_reasons,
    is_ladder,
    shown,
)
from bench.load.report.units import (
    count_text,
    digits,
    figure_name,
    interval_text,
    rate_text,
    ratio_text,
    time_text,
)
from bench.load.result import Result

SPARKS = "▁▂▃▄▅▆▇█"
SPARKS_KEPT = 40
BAR_WIDTH = 28
PLAIN_EVERY_S = 3.0
"""Without a terminal: between two lines about the same block."""
COLUMNS_LEAST = 40
NAME_MOST = 32
"""Columns of a name that stands in its row."""


class LiveDisplay:
    """Shows progress on a stream: a few lines repainted on a terminal, single lines elsewhere.

    A context manager; the lines are taken away when it ends, so that the table can stand there.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._painted = 0
        self._said_at_s = -PLAIN_EVERY_S
        self._block: tuple[str, int] | None = None
        self._p99s: deque[int] = deque(maxlen=SPARKS_KEPT)
        encoding = (getattr(self._stream, "encoding", None) or "ascii").lower()
        self._unicode = encoding.startswith("utf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal:
            self._write(self._back())
            self._painted = 0

    def update(self, progress: Progress) -> None:
        """Show one look at the block under way."""
        block = (progress.target, progress.block)
        new = block != self._block
        if new:
            self._block = block
            self._p99s.clear()
        if progress.e2e_p99_ns > 0 and progress.elapsed_s >= 0:
            self._p99s.append(progress.e2e_p99_ns)
        if self._terminal:
            self._paint(progress)
        elif new or self._clock() - self._said_at_s >= PLAIN_EVERY_S:
            self._said_at_s = self._clock()
            self._write(f"{_place(progress)}  {_clock_text(progress)}  {_counts(progress)}\n")

    def _paint(self, progress: Progress) -> None:
        columns = max(shutil.get_terminal_size().columns - 1, COLUMNS_LEAST)
        full, empty = ("█", "░") if self._unicode else ("#", ".")
        done = round(BAR_WIDTH * _share(progress))
        bar = full * done + empty * (BAR_WIDTH - done)
        lines = [_place(progress), f"{bar} {_clock_text(progress)}", _counts(progress)]
        if self._unicode:
            lines.append(f"p99 {sparkline(self._p99s)}")
        text = self._back() + "".join(f"{_cut(line, columns)}\n" for line in lines)
        self._painted = len(lines)
        self._write(text)

    def _back(self) -> str:
        """Go to the first painted line and clear from there on."""
        return f"\x1b[{self._painted}A\r\x1b[J" if self._painted else ""

    def _write(self, text: str) -> None:
        if not self._unicode:
            text = text.replace("µ", "u").encode("ascii", "replace").decode()
        self._stream.write(text)
        self._stream.flush()


def sparkline(values: Sequence[int] | deque[int]) -> str:
    """Return a bar a value, the highest one full; empty: an empty text."""
    most = max(values, default=0)
    if most <= 0:
        return ""
    return "".join(SPARKS[min(int(v / most * len(SPARKS)), len(SPARKS) - 1)] for v in values)


def table(result: Result) -> str:
    """Return the final table: a row a target, ratios, checks; an invalid run says so first."""
    parts = [_invalid(result), headline(result), _targets(result)]
    parts += [_errors(result), _ladder(result), _ratios(result), _checks(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _place(progress: Progress) -> str:
    return f"{progress.target}, block {progress.block + 1} of {progress.blocks}"


def _share(progress: Progress) -> float:
    if progress.seconds <= 0:
        return 0.0
    return min(max(progress.elapsed_s / progress.seconds, 0.0), 1.0)


def _clock_text(progress: Progress) -> str:
    if progress.elapsed_s < 0:
        return f"warming up, {-progress.elapsed_s:.0f} s left"
    return f"{progress.elapsed_s:.0f} of {progress.seconds:.0f} s"


def _counts(progress: Progress) -> str:
    told = [
        f"{rate_text(progress.rate)}",
        f"ok {count_text(progress.ok)}",
        f"failed {count_text(progress.failed)}",
        f"under way {count_text(progress.under_way)}",
    ]
    if progress.e2e_p99_ns > 0:
        told.append(f"p50 {time_text(progress.e2e_p50_ns)}")
        told.append(f"p99 {time_text(progress.e2e_p99_ns)}")
    return "  ".join(told)


COLUMNS: tuple[Column, ...] = (
    ("ok", lambda f, _: rate_text(f.requests_per_s)),
    ("failed", lambda f, _: count_text(failed(f))),
    ("good", good),
    ("p50", timed("e2e", lambda p: p.p50_ns)),
    ("p99", timed("e2e", lambda p: p.p99_ns)),
    ("p99.9", timed("e2e", lambda p: p.p999_ns)),
    ("ttft p99", timed("ttft", lambda p: p.p99_ns)),
    ("overhead p99", timed("overhead", lambda p: p.p99_ns)),
    ("chunk overhead p99", timed("chunk_overhead", lambda p: p.p99_ns)),
    ("CPU/request", taken_us(lambda r: r.cpu_us_per_request)),
    ("CPU/chunk", taken_us(lambda r: r.cpu_us_per_chunk)),
    ("memory", taken(lambda r: r.pss_mib_max, lambda mib: f"{digits(mib)} MiB")),
)


def _invalid(result: Result) -> str:
    reasons = invalid_reasons(result)
    if not reasons:
        return ""
    return "\n".join(["INVALID RUN: do not use these figures", *(f"  {r}" for r in reasons)])


def _targets(result: Result) -> str:
    names, rows = filled(result, COLUMNS)
    body = [[t.name, *row] for t, row in zip(result.targets, rows, strict=True)]
    return "\n".join(_aligned([["", *names], *body])) if body else ""


def _errors(result: Result) -> str:
    """Say what failed, a line a target and class of error, the most frequent first."""
    lines = []
    for target in result.targets:
        figures = shown(result, target)
        for kind, count in sorted(figures.errors.items(), key=lambda each: (-each[1], each[0])):
            said = figures.said.get(kind)
            text = f"{target.name}: {count_text(count)} failed: {kind}"
            lines.append(f"{text}, the first: {said}" if said else text)
    return "\n".join(lines)


def _ladder(result: Result) -> str:
    if not is_ladder(result):
        return ""
    return "\n".join(
        f"{t.name}: no rate kept"
        if t.knee_rate is None
        else f"{t.name}: knee {digits(t.knee_rate)}/s"
        for t in result.targets
    )


def _ratios(result: Result) -> str:
    if not result.ratios:
        return ""
    head = [f"times {result.ratios[0].baseline}", "", "", "95 % interval"]
    rows = [
        [r.target, figure_name(r.figure), ratio_text(r.ratio), interval_text(r.low, r.high)]
        for r in result.ratios
    ]
    return "\n".join(_aligned([head, *rows], left=2))


def _checks(result: Result) -> str:
    return "\n".join(
        f"{'PASS' if check.passed else 'FAIL'}  {check_words(check)}" for check in result.checks
    )


def _aligned(rows: Sequence[Sequence[str]], left: int = 1) -> Iterator[str]:
    """Yield rows with their columns one below the other, the first `left` ones to the left.

    A long name has a line of its own, its row below it.
    """
    short = [["" if _wide(row[0]) > NAME_MOST else row[0], *row[1:]] for row in rows]
    widths = [max(_wide(row[n]) for row in short) for n in range(len(rows[0]))]
    for whole, row in zip(rows, short, strict=True):
        if row[0] != whole[0]:
            yield whole[0]
        cells = []
        for n, (text, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _wide(text))
            cells.append(text + space if n < left else space + text)
        yield "  ".join(cells).rstrip()


def _wide(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text)


def _cut(text: str, columns: int) -> str:
    while _wide(text) > columns:
        text = text[:-1]
    return text
