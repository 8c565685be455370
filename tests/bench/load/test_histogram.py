"""Histograms keep three digits of every quantile, and speak HdrHistogram's format."""

from __future__ import annotations

import base64
from array import array

import pytest
from hypothesis import given, strategies as st

from bench.load.histogram import HIGHEST_NS, Histogram, HistogramError, exact_quantile, index_of

SHARES = (0.0, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0)
VALUES = st.lists(st.integers(0, HIGHEST_NS), min_size=1, max_size=300)


def histogram_of(values: list[int]) -> Histogram:
    made = Histogram()
    for value in values:
        made.record(value)
    return made


@given(VALUES)
def test_quantiles_are_within_a_thousandth_of_the_exact_ones(values):
    ordered = sorted(values)

    for share, found in zip(SHARES, histogram_of(values).quantiles(SHARES), strict=True):
        exact = exact_quantile(ordered, share)
        assert exact <= found <= exact * 1.001


@given(VALUES)
def test_many_at_once_are_as_one_by_one(values):
    made = Histogram()
    made.record_all(array("q", values))

    assert histogram_of(values).counts == made.counts
    assert max(values) == made.max_ns


@given(VALUES)
def test_the_encoded_form_reads_back(values):
    made = histogram_of(values)

    found = Histogram.decode(made.encode())

    assert made.counts == found.counts
    assert made.max_ns <= found.max_ns <= max(made.max_ns * 1.001, 1)


@given(VALUES, VALUES)
def test_merged_histograms_are_those_of_all_values(some, others):
    made = histogram_of(some)
    made.merge(histogram_of(others))

    assert histogram_of(some + others).counts == made.counts
    assert max(some + others) == made.max_ns


def test_values_out_of_range_count_at_its_ends():
    made = histogram_of([-5, HIGHEST_NS * 3])
    bulk = Histogram()
    bulk.record_all(array("q", [-5, HIGHEST_NS * 3]))

    assert [0, HIGHEST_NS] == made.quantiles([0.5, 1.0])
    assert made.counts == bulk.counts
    assert made.max_ns == bulk.max_ns == HIGHEST_NS


def test_the_mean_is_the_values_own():
    assert histogram_of([100, 200, 600]).mean_ns == 300


def test_an_empty_one_says_zero():
    result = Histogram().result()

    assert 0 == result.percentiles.count == result.percentiles.p99_ns
    assert Histogram.decode(result.hdr).count == 0


@pytest.mark.parametrize(
    "text", ["", "nonsense!", base64.b64encode(b"\x1c\x84\x93\x14\0\0\0\4abcd").decode()]
)
def test_what_is_no_histogram_is_refused(text):
    with pytest.raises(HistogramError):
        Histogram.decode(text)


def test_other_tools_read_it():
    hdrh = pytest.importorskip("hdrh.histogram")
    values = [7, 1_500, 123_456, 98_765_432, 98_765_433, 3_599_000_000_000]
    made = histogram_of(values)

    theirs = hdrh.HdrHistogram.decode(made.encode())

    assert theirs.get_total_count() == len(values)
    for percent in (10, 50, 75, 100):
        value = theirs.get_value_at_percentile(percent)
        assert made.counts[index_of(value)]


def test_it_reads_other_tools_histograms():
    hdrh = pytest.importorskip("hdrh.histogram")
    values = [7, 1_500, 123_456, 98_765_432, 98_765_433, 3_599_000_000_000]
    theirs = hdrh.HdrHistogram(1, HIGHEST_NS, 3)
    for value in values:
        theirs.record_value(value)

    assert histogram_of(values).counts == Histogram.decode(theirs.encode().decode()).counts
