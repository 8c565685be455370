"""Terms are what tells passages apart: no common word of the question's language, no ending."""

from __future__ import annotations

import pytest

from korad.optimizer.passages.terms import term_of, terms_of


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("When does the ferry leave Marra?", {" ferr": 1.0, " leav": 1.0, " marra": 1.5}),
        ("Wie lange fährt die Fähre nach Marra?", {" lang": 1.0, " fahrt": 1.0, " marra": 1.5}),
        ("Où se trouve le phare de la côte ?", {" trouv": 1.0, " phar": 1.0, " cote": 1.0}),
        ("¿Cuándo sale el barco?", {" sale": 1.0, " barco": 1.0}),
    ],
)
def test_common_words_of_four_languages_are_passed_over(
    question: str, terms: dict[str, float]
) -> None:
    found = terms_of(question)

    assert terms.items() <= found.items()
    assert not found.keys() & {" die ", " nach", " wie ", " le ", " de ", " la ", " el ", " the "}


def test_words_that_tell_much_in_english_stay_in_an_english_question() -> None:
    assert {" war ", " son ", " man ", " die "} <= terms_of(
        "Did the son of the old man die in the war?"
    ).keys()


def test_a_keyword_search_keeps_english_words_that_are_common_elsewhere() -> None:
    assert terms_of("son war hat").keys() == {" son ", " war ", " hat "}


@pytest.mark.parametrize(
    ("one", "other"), [("repairs", "repaired"), ("notifications", "notify"), ("boat", "boats")]
)
def test_a_term_begins_the_other_forms_of_its_word(one: str, other: str) -> None:
    assert f" {other} ".startswith(term_of(one).rstrip()[:5])
