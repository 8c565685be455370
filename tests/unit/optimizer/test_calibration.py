"""What korad learns of how others count."""

from __future__ import annotations

import pytest

from korad.optimizer import Calibration
from korad.optimizer.calibration import COUNTED_TOKENS_MIN, MODELS_MAX


def taught(reports, model="m"):
    calibration = Calibration()
    for counted, reported in reports:
        calibration.learn(model, counted, reported)
    return calibration


def test_a_model_nobody_reported_on_counts_as_korad_does():
    assert 12_345 == Calibration().scale("m", 12_345)


def test_after_many_reports_the_count_is_the_providers():
    calibration = taught([(1_000, 1_250)] * 200)

    assert abs(calibration.scale("m", 10_000) - 12_500) <= 1


def test_one_report_moves_the_factor_by_a_sixteenth():
    assert 10_100 == taught([(1_000, 1_160)]).scale("m", 10_000)


@pytest.mark.parametrize("share", [0.6, 0.9, 1.1, 1.9])
def test_no_report_is_overshot(share):
    calibration, last = Calibration(), 10_000
    for _ in range(100):
        calibration.learn("m", 1_000, round(1_000 * share))
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
        calibration.learn(f"m{number}", 1_000, 1_500)
    calibration.learn("m0", 1_000, 1_500)
    calibration.learn("one more", 1_000, 1_500)

    assert 1_000 < calibration.scale("m0", 1_000)
    assert 1_000 == calibration.scale("m1", 1_000)
    assert 1_000 < calibration.scale("m2", 1_000)
    assert 1_000 < calibration.scale("one more", 1_000)


def test_a_small_count_is_rounded_to_the_nearest():
    calibration = taught([(1_000, 1_500)] * 200)

    assert [0, 1, 3, 4, 15] == [calibration.scale("m", tokens) for tokens in (0, 1, 2, 3, 10)]
