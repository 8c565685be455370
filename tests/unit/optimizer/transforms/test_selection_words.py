"""Passage selection where the question and its answer share few words, or none."""

from __future__ import annotations

from random import Random

import pytest

from korad.optimizer.base import EXTREME, HIGH, TOOL, USER, Block
from korad.optimizer.transforms.selection import SELECTION
from tests.support.passages import GOLD, QUESTION, WORDS, filler


def passages(gold: str = GOLD) -> list[str]:
    chance = Random(3)
    found = [filler(chance) for _ in range(16)]
    found[11] = f"{filler(chance, 2)} {gold} {filler(chance, 2)}"
    return found


def listed(style: str, texts: list[str]) -> str:
    return "\n\n".join(style.format(n=n, text=text) for n, text in enumerate(texts, 1))


IN_OTHERWORDS = "How do they get it in the dragon?"
"""It shares no word with the passages but such as "the" and "in"."""


def told(count: int = 16) -> list[str]:
    return [
        f"In part {n} the {WORDS[n % 12]} is shown, and how they get it in. {filler(Random(n))}"
        for n in range(count)
    ]


@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_a_list_that_shares_no_word_with_the_question_stays(level: int) -> None:
    text = listed("[{n}] {text}", told())
    block = Block(text=text, role=TOOL, level=level, question=IN_OTHERWORDS)

    assert SELECTION.apply(block) is text


def test_a_list_in_another_language_than_the_question_stays() -> None:
    text = listed("[{n}] {text}", told())
    question = "Wie werde ich doppelte Briefe wieder los?"

    assert SELECTION.apply(Block(text=text, role=TOOL, level=EXTREME, question=question)) is text


@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_words_that_stand_for_those_of_the_question_tell_which_passage_is_near(level: int) -> None:
    gold = "Wages reach staff by the ninth."
    texts = passages(gold)
    texts[11] = texts[11].replace("harvest", "cellar")
    question = "On which day do employees get their salary in the harvest?"
    text = listed("[{n}] {text}", texts)
    shorter = SELECTION.apply(Block(text=text, role=TOOL, level=level, question=question))

    assert gold in shorter
    assert len(shorter) < (0.8 if level == HIGH else 0.5) * len(text)


def test_words_that_stand_for_others_alone_leave_nothing_out_at_high() -> None:
    text = listed("[{n}] {text}", passages("Wages reach staff by the ninth."))
    question = "How do employees get their salary?"
    high, extreme = (
        SELECTION.apply(Block(text=text, role=TOOL, level=level, question=question))
        for level in (HIGH, EXTREME)
    )

    assert high is text
    assert "Wages reach staff by the ninth." in extreme
    assert len(extreme) < 0.5 * len(text)


@pytest.mark.parametrize("question", ["Wie ist das, und wo?", "Qui est-ce ?", "¿Cuándo es?"])
def test_common_words_of_another_language_are_no_evidence(question: str) -> None:
    text = listed("[{n}] {text}", passages("Wie und wo das ist; qui est; es cuándo."))

    assert SELECTION.apply(Block(text=text, role=TOOL, level=EXTREME, question=question)) is text


@pytest.mark.parametrize(
    ("words", "is_whole"),
    [
        ("Answer from these search results.", False),
        ("Answer the question using only these sources.", False),
        ("Answer all of these.", True),
        ("Answer each one from these sources.", True),
    ],
)
def test_words_that_say_where_the_answer_stands_want_no_whole_list(
    words: str, *, is_whole: bool
) -> None:
    sources = listed("Source: part {n}\nContent: {text}", passages())
    text = f"{words}\n\n{sources}\n\n{QUESTION}"
    shorter = SELECTION.apply(Block(text=text, role=USER, level=EXTREME))

    assert (shorter is text) == is_whole
    assert GOLD in shorter
