"""The list of words that stand for each other."""

from __future__ import annotations

import pytest

from korad.optimizer.passages.kin import kin_of
from korad.optimizer.passages.terms import term_of


@pytest.mark.parametrize(
    ("word", "kin"),
    [
        ("salaries", "wages"),
        ("wages", "salary"),
        ("stolen", "theft"),
        ("illness", "disease"),
        ("weekday", "thursday"),
        ("Fahrrad".lower(), "rad"),
    ],
)
def test_words_lead_to_their_kin_in_whatever_form(word: str, kin: str) -> None:
    assert any(term_of(kin).startswith(term.rstrip()) for term in kin_of(term_of(word)))


def test_one_of_a_kind_does_not_stand_for_another() -> None:
    assert term_of("tuesday") not in kin_of(term_of("monday"))


def test_no_word_is_its_own_kin() -> None:
    assert term_of("salary") not in kin_of(term_of("salary"))


def test_a_name_has_no_kin() -> None:
    assert not kin_of(term_of("tarnai"))


@pytest.mark.parametrize(("word", "other"), [("pan", " pans "), ("pans", " pan ")])
def test_short_words_lead_to_their_plural_and_back(word: str, other: str) -> None:
    assert other in kin_of(term_of(word))
