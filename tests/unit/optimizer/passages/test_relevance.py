"""How near passages are to a question, by the words that they share and by kin of the others."""

from __future__ import annotations

from korad.optimizer.passages.passage import Passage
from korad.optimizer.passages.relevance import Scores, score
from korad.optimizer.passages.terms import terms_of


def scored(question: str, *texts: str) -> Scores:
    places, start = [], 0
    for text in texts:
        places.append(Passage(start, start, start + len(text), start + len(text)))
        start += len(text) + 1
    return score("\n".join(texts), places, question, terms_of(question))


def test_a_word_that_no_passage_has_is_looked_for_by_its_kin() -> None:
    scores = scored(
        "What is her salary?", "wages are paid in june", "the harbour is shut", "a hill"
    )

    assert scores.passages[0] > 0
    assert not any(scores.passages[1:])


def test_kin_of_a_word_that_a_passage_has_counts_nothing() -> None:
    scores = scored("What is her salary?", "wages are paid in june", "a salary of nine", "a hill")

    assert scores.passages[0] == 0
    assert scores.passages[1] > 0


def test_kin_counts_less_than_the_word_itself() -> None:
    own = scored("What is her salary?", "a salary of nine", "a hill", "the harbour").passages[0]
    kin = scored("What is her salary?", "wages of nine", "a hill", "the harbour").passages[0]

    assert 0 < kin < own
