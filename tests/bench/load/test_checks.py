"""Checks are understood or refused, and hold only for what was measured soundly."""

from __future__ import annotations

import msgspec
import pytest

from bench.load.checks import CheckError, Limit, evaluate, parse_check
from bench.load.result import Check, Client, Figures, TargetResult

NAMES = ["direct", "korad"]


def result(name, seconds=1.0, invalid=None):
    client = Client(processes=1, cpu_share=0.1, lag_p99_ns=1, shed=0, invalid=invalid)
    figures = Figures(
        seconds=seconds, started=1, ok=1, left=0, errors={}, requests_per_s=1.0, tokens_per_s=0.0,
        chunks=0, goodput=None, histograms={}, timeline=[], resources=None, client=client,
    )  # fmt: skip
    return TargetResult(name=name, url="http://x/v1", model="m", blocks=[figures], total=figures)


def figure_of(figures, name):
    return {"seconds": figures.seconds, "goodput": figures.goodput}[name]


def any_figure(_figures, _name):
    return 1.0


def outcome(text, *results):
    return evaluate([parse_check(text, NAMES, figure_of)], results, figure_of)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("overhead_p99_ms<=2", (None, "overhead_p99_ms", "<=", 2.0)),
        (" goodput >= 0.99 ", (None, "goodput", ">=", 0.99)),
        ("korad:errors==0", ("korad", "errors", "==", 0.0)),
        ("korad : e2e_p50_us < 1.5e3", ("korad", "e2e_p50_us", "<", 1500.0)),
        ("x>-1", (None, "x", ">", -1.0)),
    ],
)
def test_a_check_is_understood(text, parsed):
    assert parse_check(text, NAMES, any_figure) == Limit(text.strip(), *parsed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("overhead_p99_ms", "not FIGURE<=NUMBER"),
        ("overhead_p99_ms=2", "not FIGURE<=NUMBER"),
        ("overhead_p99_ms<=two", "not FIGURE<=NUMBER"),
        ("<=2", "not FIGURE<=NUMBER"),
        ("seconds<=1.2.3", "is no number"),
        ("nosuch<=2", "no figure 'nosuch'"),
        ("nginx:errors==0", "no target 'nginx'; there are direct, korad"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(text, words):
    with pytest.raises(CheckError, match=words):
        parse_check(text, NAMES, figure_of)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("seconds<=2", True), ("seconds<2", False), ("seconds>=2", True), ("seconds>2", False),
        ("seconds==2", True), ("seconds==3", False), ("seconds<3", True), ("seconds>1", True),
    ],
)  # fmt: skip
def test_operators_mean_what_they_say(text, passed):
    assert outcome(text, result("korad", 2.0)) == [
        Check(text=text, target="korad", value=2.0, passed=passed)
    ]


def test_a_check_is_about_every_target_or_the_one_it_names():
    both = result("direct", 1.0), result("korad", 3.0)

    assert [(c.target, c.passed) for c in outcome("seconds<=2", *both)] == [
        ("direct", True),
        ("korad", False),
    ]
    assert [(c.target, c.passed) for c in outcome("korad:seconds<=2", *both)] == [("korad", False)]


def test_what_was_not_measured_or_not_soundly_fails():
    (unmeasured,) = outcome("goodput>=0", result("korad"))
    (invalid,) = outcome("seconds<=2", result("korad", invalid="the client was the limit"))

    assert (unmeasured.value, unmeasured.passed) == (None, False)
    assert (invalid.value, invalid.passed) == (1.0, False)


def test_a_ladders_knee_can_be_checked_although_its_last_rung_was_the_clients():
    climbed = msgspec.structs.replace(result("korad", invalid="the client"), knee_rate=450.0)

    assert [check.passed for check in outcome("knee_rate>=400", climbed)] == [True]
    assert [check.passed for check in outcome("knee_rate>=500", climbed)] == [False]
    assert [check.passed for check in outcome("knee_rate>=1", result("direct"))] == [False]
