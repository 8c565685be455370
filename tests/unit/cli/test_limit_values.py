"""The options that limit: read exactly, shown exactly."""

from __future__ import annotations

import argparse

import pytest

from korad.adapters.limit_report import limits_object
from korad.cli.limit_values import add_limit_options, limits_given, limits_text, short_usd
from korad.domain.limits import Budget, Limits, Reset


def given(*words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_limit_options(parser)
    return limits_given(parser.parse_args(list(words)))


def budgets(text):
    return given(*text.split())["budgets"]


def usd(amount, reset):
    return Budget(limit_nano_usd=int(amount * 10**9), reset=reset)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--budget-usd 50", (usd(50, Reset.NEVER),)),
        ("--budget-usd $50 --reset month", (usd(50, Reset.MONTH),)),
        ("--reset 24h --budget-usd 50", (usd(50, Reset.LAST_24H),)),
        (
            "--budget-usd 50 --reset month --budget-usd 5 --reset day --budget-usd 900",
            (usd(50, Reset.MONTH), usd(5, Reset.DAY), usd(900, Reset.NEVER)),
        ),
        ("--budget-usd 0", (usd(0, Reset.NEVER),)),
        ("--budget-usd NONE", ()),
    ],
)
def test_a_budget_has_the_reset_behind_it(text, expected):
    assert budgets(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "--reset month",
        "--budget-usd none --reset month",
        "--budget-usd none --budget-usd 5",
        "--budget-usd 5 --budget-usd 6",
        "--budget-usd 5 --reset day --budget-usd 6 --reset day",
        "--budget-usd 5 --reset day --reset month",
        "--reset day --budget-usd 5 --budget-usd 6",
    ],
)
def test_budgets_that_could_mean_two_things_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        budgets(text)


@pytest.mark.parametrize(
    "text",
    [
        "--budget-usd -1",
        "--budget-usd 0.0000000001",
        "--budget-usd x",
        "--budget-usd nan",
        "--budget-usd 5 --reset yearly",
        "--rpm 0",
        "--tpm 1.5",
        "--concurrency x",
    ],
)
def test_what_is_no_limit_is_refused(text):
    with pytest.raises((argparse.ArgumentError, argparse.ArgumentTypeError, SystemExit)):
        given(*text.split())


def test_only_what_is_named_changes():
    assert given() == {}
    assert given("--rpm", "60", "--tpm", "none") == {
        "requests_per_minute": 60,
        "tokens_per_minute": None,
    }
    assert given("--concurrency", "3") == {"concurrent_max": 3}


@pytest.mark.parametrize(
    ("nano_usd", "shown"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (50 * 10**9, "50"),
        (100_500_000_000, "100.5"),
        (2**53, "9007199.254740992"),
    ],
)
def test_money_is_shown_with_all_its_digits(nano_usd, shown):
    assert short_usd(nano_usd) == shown


def test_limits_are_shown_as_a_line_and_as_an_object():
    limits = Limits(
        budgets=(usd(50, Reset.MONTH), usd(900, Reset.NEVER)),
        requests_per_minute=60,
        tokens_per_minute=70,
        concurrent_max=3,
    )

    assert limits_text(limits) == "$50/month, $900 in all, 60 rpm, 70 tpm, 3 at once"
    assert limits_text(Limits()) == "none"
    assert limits_object(limits) == {
        "budgets": [
            {"usd": "50.00", "nano_usd": 50_000_000_000, "reset": "month"},
            {"usd": "900.00", "nano_usd": 900_000_000_000, "reset": "never"},
        ],
        "requests_per_minute": 60,
        "tokens_per_minute": 70,
        "concurrency": 3,
    }
