"""What korad learns of how others count."""

from __future__ import annotations

import pytest

from korad.optimizer import Calibration
from korad.optimizer.calibration import COUNTED_TOKENS_MIN, MODELS_MAX
from korad.optimizer.tokens import PromptCount

WRAPPING = 3
"""Of no message."""


def teach(calibration, counted, reported, model="m"):
    """Tell of a prompt's text alone: there is no doubt about what it is wrapped in."""
    calibration.learn(model, PromptCount(counted, 0), reported + WRAPPING)


def taught(reports):
    calibration = Calibration()
    for counted, reported in reports:
        teach(calibration, counted, reported)
    return calibration


def test_a_model_nobody_reported_on_counts_as_korad_does():
    assert 12_345 == Calibration().scale("m", 12_345)


def test_after_many_reports_the_count_is_the_providers():
    calibration = taught([(1_000, 1_250)] * 200)

    assert abs(calibration.scale("m", 10_000) - 12_500) <= 1


def test_the_first_report_is_believed_and_later_ones_move_the_factor_by_their_share():
    assert 11_600 == taught([(1_000, 1_160)]).scale("m", 10_000)
    assert 11_600 == taught([(1_000, 1_120), (1_000, 1_200)]).scale("m", 10_000)
    assert 10_100 == taught([(1_000, 1_000)] * 40 + [(1_000, 1_160)]).scale("m", 10_000)


@pytest.mark.parametrize("per_message", [3, 4, 5])
def test_what_messages_are_wrapped_in_teaches_nothing(per_message):
    calibration = Calibration()
    for _ in range(40):
        calibration.learn("m", PromptCount(600, 300), 600 + per_message * 300 + 3)

    assert 10_000 == calibration.scale("m", 10_000)


@pytest.mark.parametrize("per_message", [3, 4, 5])
def test_what_is_learnt_of_long_messages_holds_for_short_ones(per_message):
    calibration = Calibration()
    for text, messages in [(5_000, 4), (600, 300)] * 20:
        reported = text * 12 // 10 + per_message * messages + 3
        calibration.learn("m", PromptCount(text, messages), reported)

    assert abs(calibration.scale("m", 10_000) - 12_000) <= 20


def test_what_was_left_out_is_told_in_the_models_own_tokens():
    short = PromptCount(300, 50)
    known = taught([(1_000, 1_200)])

    assert abs(known.scale_left_out("m", 1_000, short, 10**6) - 1_200) <= 1
    # Of a model nobody reported on, the report on what was sent is all there is.
    assert 1_000 == Calibration().scale_left_out("m", 1_000, short, 300 + 3 * 50 + 3)
    assert 1_500 == Calibration().scale_left_out("m", 1_000, short, 450 + 5 * 50 + 3)
    assert 2_000 == Calibration().scale_left_out("m", 1_000, short, 10**6)
    assert 500 == Calibration().scale_left_out("m", 1_000, short, 0)
    assert 500 == Calibration().scale_left_out("m", 1_000, PromptCount(0, 0), 0)


@pytest.mark.parametrize("share", [0.6, 0.9, 1.1, 1.9])
def test_no_report_is_overshot(share):
    calibration, last = Calibration(), 10_000
    for _ in range(100):
        teach(calibration, 1_000, round(1_000 * share))
        now = calibration.scale("m", 10_000)

        assert min(last, 10_000 * share) - 1 <= now <= max(last, 10_000 * share) + 1
        last = now


def test_models_are_learnt_apart():
    assert 1_000 == taught([(1_000, 1_900)] * 50).scale("other", 1_000)


@pytest.mark.parametrize(
    ("counted", "reported"),
    [
        (COUNTED_TOKENS_MIN - 1, COUNTED_TOKENS_MIN + 20),
        (0, 0),
        (0, 1_000),
        (1_000, 0),
        (1_000, 499),
        (1_000, 2_001),
        (1_000, 10**15),
    ],
)
def test_a_report_that_says_little_or_too_much_is_not_taken(counted, reported):
    assert 10_000 == taught([(counted, reported)] * 50).scale("m", 10_000)


@pytest.mark.parametrize("reported", [500, 2_000])
def test_the_widest_factors_are_taken(reported):
    assert 10_000 != taught([(1_000, reported)]).scale("m", 10_000)


def test_the_least_prompt_worth_learning_from_is_taken():
    count = COUNTED_TOKENS_MIN

    assert 10_000 < taught([(count, 2 * count)]).scale("m", 10_000)


def test_the_models_reported_on_last_are_remembered():
    calibration = Calibration()
    for number in range(MODELS_MAX):
        teach(calibration, 1_000, 1_500, f"m{number}")
    teach(calibration, 1_000, 1_500, "m0")
    teach(calibration, 1_000, 1_500, "one more")

    assert 1_000 < calibration.scale("m0", 1_000)
    assert 1_000 == calibration.scale("m1", 1_000)
    assert 1_000 < calibration.scale("m2", 1_000)
    assert 1_000 < calibration.scale("one more", 1_000)


def test_a_small_count_is_rounded_to_the_nearest():
    calibration = taught([(1_000, 1_500)] * 200)

    assert [0, 2, 3, 5, 15] == [calibration.scale("m", tokens) for tokens in (0, 1, 2, 3, 10)]
