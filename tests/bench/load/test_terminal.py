"""The terminal: the final table's words, and the live lines with and without a terminal."""

from __future__ import annotations

import io
import re

import msgspec
import pytest

from bench.load.progress import Progress
from bench.load.report.units import time_text
from bench.load.terminal import PLAIN_EVERY_S, LiveDisplay, sparkline, table
from tests.bench.load import sample_runs


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Ascii(io.StringIO):
    encoding = "ascii"


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def progress(**changes):
    fields = {
        "target": "korad",
        "block": 0,
        "blocks": 4,
        "elapsed_s": 2.5,
        "seconds": 10.0,
        "started": 1250,
        "ok": 1240,
        "failed": 3,
        "under_way": 7,
        "e2e_p50_ns": 410_000,
        "e2e_p99_ns": 980_000,
        "rate": 500.0,
    }
    return Progress(**(fields | changes))


@pytest.fixture(scope="module")
def tables():
    return {name: table(make()) for name, make in sample_runs.ALL.items()}


@pytest.mark.parametrize("name", list(sample_runs.ALL))
def test_the_table_has_every_target_and_no_odd_numbers(tables, name):
    result = sample_runs.ALL[name]()
    for target in result.targets:
        assert target.name in tables[name]
        histogram = target.total.histograms.get("e2e")
        if histogram is not None and not target.ladder:
            assert time_text(histogram.percentiles.p99_ns) in tables[name]
    assert not re.search(r"\b([Nn]a[Nn]|inf|None)\b", tables[name])
    assert tables[name].endswith("\n")


def test_columns_stand_one_below_the_other(tables):
    lines = tables["two_targets"].splitlines()
    head = next(n for n, line in enumerate(lines) if "CPU/request" in line)
    end = lines[head].index("CPU/request") + len("CPU/request")

    for line in lines[head + 1 : head + 4]:
        assert line[end - 1] != " "
        assert line[end : end + 2] == "  "


def test_ratios_come_with_their_interval_and_checks_with_a_verdict(tables):
    assert re.search(
        r"korad +End to end, p99 +4\.10.\u00d7 +3\.28\u20135\.17", tables["two_targets"]
    )
    assert "PASS  nginx: Errors: 0" in tables["two_targets"]
    assert "FAIL  korad: CPU time per request" in tables["one_target"]


def test_an_invalid_run_is_said_first(tables):
    assert tables["invalid"].startswith("INVALID RUN: do not use these figures\n  korad: the load")


def test_a_ladder_names_its_knees(tables):
    assert "korad: knee 1,709/s" in tables["ladder"]


def test_what_failed_is_told_by_class_the_most_frequent_first(tables):
    told = [line for line in tables["many_errors"].splitlines() if " failed: " in line]

    assert told[:2] == [
        "korad: 611 failed: status 429, the first: budget_exceeded: a <key> has spent it",
        "korad: 305 failed: timeout",
    ]
    assert told[-1] == "litellm: 9 failed: status 500"
    assert " failed: " not in tables["two_targets"]


def test_the_first_error_says_why():
    result = sample_runs.many_errors()
    korad = result.targets[1]
    total = msgspec.structs.replace(korad.total, said={"status 429": "rate_limit: too fast"})
    korad = msgspec.structs.replace(korad, total=total)
    result = msgspec.structs.replace(result, targets=[korad])

    assert "611 failed: status 429, the first: rate_limit: too fast\n" in table(result)


def test_columns_without_figures_are_left_out(tables):
    assert "ttft" not in tables["one_target"]
    assert "ttft" in tables["streams"]
    assert "memory" not in tables["invalid"]


def test_a_terminal_gets_a_few_lines_that_are_repainted():
    stream = Terminal()
    with LiveDisplay(stream) as display:
        display.update(progress())
        display.update(progress(elapsed_s=5.0, e2e_p99_ns=490_000))
    first, second = stream.getvalue().split("\x1b[4A\r\x1b[J")[:2]

    for word in ("korad, block 1 of 4", "500/s", "ok 1,240", "failed 3", "under way 7", "µs"):
        assert word in first
    assert "█" * 7 + "░" in first
    assert "█▄" in second or "█▅" in second
    assert stream.getvalue().endswith("\x1b[J")


def test_a_narrow_terminal_gets_no_line_that_wraps(monkeypatch):
    monkeypatch.setenv("COLUMNS", "48")
    stream = Terminal()
    with LiveDisplay(stream) as display:
        display.update(progress(target="a-very-long-name-" * 5))

    assert max(map(len, stream.getvalue().split("\x1b")[0].splitlines())) <= 47


def test_warming_up_is_told_apart():
    stream = Terminal()
    with LiveDisplay(stream) as display:
        display.update(progress(elapsed_s=-1.5, e2e_p50_ns=0, e2e_p99_ns=0))

    assert "warming up, 2 s left" in stream.getvalue()
    assert "p50" not in stream.getvalue()


def test_without_a_terminal_there_is_a_line_every_few_seconds_and_for_each_block():
    stream, clock = io.StringIO(), Clock()
    with LiveDisplay(stream, clock) as display:
        for quarter in range(40):
            clock.now_s = quarter / 4
            display.update(progress(elapsed_s=quarter / 4))
        display.update(progress(block=1, elapsed_s=0.0))
    lines = stream.getvalue().splitlines()

    assert len(lines) == 1 + int(9.75 // PLAIN_EVERY_S) + 1
    assert lines[-1].startswith("korad, block 2 of 4  0 of 10 s  500/s")
    assert "\x1b" not in stream.getvalue()


def test_a_stream_that_knows_only_ascii_gets_ascii():
    stream = Ascii()
    with LiveDisplay(stream) as display:
        display.update(progress(target="gr\u00fc\u00df"))

    assert stream.getvalue().isascii()
    assert "410 us" in stream.getvalue().replace("?", " ")


def test_a_sparkline_is_as_high_as_its_highest_value():
    assert sparkline([1, 4, 8]) == "▂▅█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == ""
