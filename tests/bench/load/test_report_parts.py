"""Units, scales and labels of the report, one by one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.load.report.findings import check_words
from bench.load.report.scales import fitting, linear, logarithmic, ratios, spread
from bench.load.report.svg import text_width, wrapped
from bench.load.report.units import (
    column_unit,
    digits,
    figure_value,
    share_text,
    tick_text,
    time_text,
)
from bench.load.result import Check
from tests.bench.load.sample_runs import LONG_NAMES


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"), (850, "850 ns"), (94_240, "94.2 µs"), (999_600, "1.00 ms"),
        (1_419_000, "1.42 ms"), (3_050_000_000, "3.05 s"), (75e9, "75.0 s"), (-210_000, "-210 µs"),
    ],
)  # fmt: skip
def test_times(ns, text):
    assert time_text(ns).replace("\u00a0", " ") == text


def test_numbers():
    assert [digits(x) for x in (0, 0.0123, 0.5, 1.234, 9.996, 99.96, 1234.5)] == [
        "0", "0.012", "0.500", "1.23", "10.0", "100", "1,234",
    ]  # fmt: skip
    assert [share_text(x).replace("\u00a0", " ") for x in (0, 0.0001, 0.5, 0.9994, 0.99999, 1)] == [
        "0 %", "< 0.1 %", "50 %", "99.9 %", "> 99.9 %", "100 %",
    ]  # fmt: skip
    assert [tick_text(x) for x in (0, 200_000, 1e6, 2.5e9)] == ["0", "200 µs", "1 ms", "2.5 s"]
    assert figure_value("goodput", 0.5) == "50\u00a0%"
    assert figure_value("ttft_p99_ms", 1.5).endswith("ms")
    assert figure_value("requests_per_s", 12.5) == "12.5/s"
    assert figure_value("kib_per_stream", 11.3) == "11.3 KiB"
    assert digits(float("inf")) == digits(float("nan")) == "\u2014"
    assert figure_value("errors", None) == "\u2014"


def test_an_unreadable_check_is_told_as_it_is():
    check = Check(text="whatever", target="korad", value=None, passed=False)

    assert check_words(check) == "korad: whatever"


def test_scales():
    assert linear(0.9, 0, 100).ticks == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1.0))
    assert not fitting([100, 900], 0, 100).log
    wide = fitting([100, 90_000], 0, 100)
    assert wide.log
    assert wide.low < 100
    assert wide.high > 90_000
    assert set(wide.ticks) >= {1e3, 1e4}
    assert 0 < wide.at(100) < wide.at(90_000) < 100
    assert wide.at(1e12) == 100
    assert logarithmic(1, 1e9, 0, 1).ticks
    close = ratios(0.98, 1.31, 0, 100)
    assert 1.0 in close.ticks
    assert 0 < close.low <= 0.98
    assert close.high >= 1.31
    assert ratios(0.01, 300, 0, 1).ticks


def test_labels_are_spread_within_their_bounds():
    places = spread([50, 51, 52, 99], 16, 0, 100)
    ordered = sorted(places)

    assert ordered == places
    assert all(b - a >= 16 - 1e-9 for a, b in pairwise(ordered))
    assert max(places) <= 100
    assert spread([], 16, 0, 100) == []


def test_long_names_are_broken_and_never_cut():
    name = LONG_NAMES[4]
    lines = wrapped(name, 200)

    assert "".join(lines) == name
    assert all(text_width(line) <= 200 for line in lines)


def test_a_column_has_one_unit_unless_its_times_are_far_apart():
    name, write = column_unit([106_000, 756_000, 3_014_000])
    assert (name, write(106_000), write(3_014_000)) == ("ms", "0.106", "3.014")
    name, write = column_unit([30_400, 94_200])
    assert (name, write(30_400)) == ("µs", "30.4")
    name, write = column_unit([100_000, 5e9])
    assert (name, write(5e9).replace("\u00a0", " ")) == ("", "5.00 s")
    assert column_unit([0, 0])[1](0) == "0.00"
