"""Passage selection keeps what is near the question, and leaves alone what is not a list."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import EXTREME, HIGH, MARK, TOOL, USER, Block
from korad.optimizer.transforms.selection import SELECTION
from tests.support.passages import GOLD, QUESTION, WORDS, filler


def passages(count: int = 16, gold_at: int = 11, seed: int = 3) -> list[str]:
    chance = Random(seed)
    found = [filler(chance) for _ in range(count)]
    found[gold_at] = f"{filler(chance, 1)} {GOLD} {filler(chance, 1)}"
    return found


LABELLED = [
    "Document [{n}](Title: Part {n}) {text}",
    "[{n}] {text}",
    "Passage 1{n:02}:\n{text}",
    "### Result {n}\n{text}",
    '<document index="{n}">\n{text}\n</document>',
    "Source: https://example.org/{n}\n{text}",
    "Title: Part {n}\nURL: https://example.org/{n}\n{text}",
]


def listed(style: str, texts: list[str]) -> str:
    return "\n\n".join(style.format(n=n, text=text) for n, text in enumerate(texts, 1))


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("style", LABELLED)
@pytest.mark.parametrize("role", [USER, TOOL])
def test_the_passage_asked_for_stays_and_others_go(style: str, level: int, role: str) -> None:
    text = listed(style, passages())
    if role == USER:
        block = Block(text=f"{text}\n\nQuestion: {QUESTION}\nAnswer:", role=USER, level=level)
    else:
        block = Block(text=text, role=TOOL, level=level, question=QUESTION, call="fetch {}")
    shorter = SELECTION.apply(block)

    assert GOLD in shorter
    assert MARK in shorter
    assert len(shorter) < len(block.text) * (0.8 if level == HIGH else 0.5)
    assert role == TOOL or shorter.endswith(f"Question: {QUESTION}\nAnswer:")


def test_kept_passages_are_verbatim_in_order_and_labelled() -> None:
    texts = passages()
    block = Block(text=listed("[{n}] {text}", texts), role=TOOL, level=HIGH, question=QUESTION)
    kept = [piece for piece in SELECTION.apply(block).split("\n\n") if MARK not in piece]

    assert len(kept) >= 3
    assert kept == [piece for piece in block.text.split("\n\n") if piece in kept]


def test_notes_count_the_passages_left_out() -> None:
    block = Block(text=listed("[{n}] {text}", passages()), role=TOOL, level=HIGH, question=QUESTION)
    shorter = SELECTION.apply(block)
    dropped = sum(map(int, re.findall(r"\[korad: (\d+) passages? left out\]", shorter)))

    assert len(re.findall(r"^\[\d+\] ", shorter, re.MULTILINE)) + dropped == 16


@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_the_second_hop_is_kept_though_it_shares_no_word_with_the_question(level: int) -> None:
    texts = passages(40, 30)
    texts[5] = "Brevik Point belongs to the harbour office of Count Aldous Menk since 1911."
    for at in (1, 8, 20):
        texts[at] = "Which lighthouse did someone repair? Forms for a lighthouse repair are green."
    block = Block(text=listed("[{n}] {text}", texts), role=TOOL, level=level, question=QUESTION)

    assert texts[5] in SELECTION.apply(block)


@pytest.mark.parametrize(
    "question",
    [
        "Summarize these documents.",
        "How many documents are there?",
        "For each document, say what it is about.",
        "List all the captains.",
        "Sort the ships by length.",
        "Please group the harbours by country.",
        "Give me a table of all ferries.",
        "Write a reply to each captain.",
        "Convert this to a JSON array with captain and ship.",
        "What is the total weight of the cargoes?",
        "How many of them are at sea?",
        "What does document 7 say of the lighthouse?",
        "What does the 3rd passage say of the lighthouse?",
        "Résume ces documents.",
        "Fasse die Texte zusammen.",
        "",
        "what is it?",
    ],
)
def test_questions_about_the_whole_list_leave_it_alone(question: str) -> None:
    text = listed("Document [{n}] {text}", passages())
    block = Block(text=text, role=TOOL, level=EXTREME, question=question)

    assert SELECTION.apply(block) is text


@pytest.mark.parametrize(
    "question",
    [
        "What is Captain Menk's all time best at the lighthouse?",
        "In the periodic table, what does the lighthouse stand for?",
        "Who was asked to write the lighthouse song?",
    ],
)
def test_questions_about_one_thing_leave_passages_out(question: str) -> None:
    text = listed("Document [{n}] {text}", [*passages(), "A lighthouse stands on the hill."])
    block = Block(text=text, role=TOOL, level=EXTREME, question=question)

    assert len(SELECTION.apply(block)) < len(text)


def _dialogue() -> str:
    chance = Random(5)
    return "\n".join(
        f"{chance.choice(('Ana', 'Bo', 'Cy'))}: {filler(chance, 2)}" for _ in range(40)
    )


NOT_LISTS = {
    "dialogue": _dialogue(),
    "numbered dialogue": listed("Ana: [{n}] {text}\nBo: yes, and so on.", passages()),
    "article": "\n\n".join(passages(30)),
    "contract": listed("Section {n}. {text}", passages()),
    "mail": listed("From: a@example.org\nSubject: no. {n}\n\n{text}", passages()),
    "code": "\n".join(f"def f{n}(x):\n    return {{'{n}': x, 'y': [x];}}\n" for n in range(300)),
    "json": "["
    + ",\n".join(f'{{"document": {n}, "text": "lighthouse"}}' for n in range(300))
    + "]",
    "table": "\n".join(f"Document {n} | lighthouse | {n * 7} | x" for n in range(300)),
    "steps": listed("{n}. {text}", passages()),
    "references": "\n\n".join(passages(40)) + "\n\n" + listed("[{n}] {text}", ["See above."] * 9),
}


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("kind", NOT_LISTS)
def test_what_is_no_list_of_passages_stays(kind: str, level: int) -> None:
    text = f"{NOT_LISTS[kind]}\n\nQuestion: {QUESTION}"

    assert SELECTION.apply(Block(text=text, role=USER, level=level)) is text


_SAME = {
    "mill": "grinding house",
    "bakery": "bread shop",
    "ferry": "boat service",
    "school": "place of learning",
    "clinic": "doctors' house",
    "inn": "guest house",
}
_ASKED = {
    "Who runs the {thing} of {place}?": "The {same} at {place} has {name} as its manager",
    "Who founded the {thing} in {place}?": "{name} set up the {same} of {place} in {year}",
    "When did the {thing} in {place} burn down?": "Fire took {place}'s {same} in {year}",
    "who owns {place} {thing}": "Since {year} the {same} in {place} belongs to {name}",
    "How many people work at the {thing} of {place}?": "{place}: the {same} has a staff of {count}",
}
_SYLLABLES = "bra ket lo mur nin osk pel ral sev tun ul vik".split()  # noqa: SIM905 - reads better


def _paraphrased(seed: int) -> tuple[str, str, str]:
    """Return a list of 20 passages, a question in other words, and the sentence that answers it."""
    chance = Random(seed)
    places = ["".join(chance.sample(_SYLLABLES, 3)).title() for _ in range(5)]
    asked, said = chance.choice(list(_ASKED.items()))
    texts = []
    for place in places:
        for thing in chance.sample(sorted(_SAME), 4):
            fact = said.format(
                same=_SAME[thing],
                place=place,
                name=f"{chance.choice(_SYLLABLES)} {chance.choice(_SYLLABLES)}berg".title(),
                year=chance.randint(1850, 1999),
                count=chance.randint(3, 90),
            )
            texts.append((f"{filler(chance, 2)} {fact}. {filler(chance, 3)}", fact, thing, place))
    chance.shuffle(texts)
    _, fact, thing, place = chance.choice(texts)
    return (
        listed("Document [{n}] {text}", [text for text, *_ in texts]),
        asked.format(thing=thing, place=place),
        fact,
    )


@pytest.mark.parametrize(("level", "least_saved"), [(HIGH, 0.31), (EXTREME, 0.62)])
def test_answers_in_other_words_stay_and_the_share_wanted_is_saved(
    level: int, least_saved: float
) -> None:
    kept, before, after = 0, 0, 0
    for seed in range(60):
        text, question, fact = _paraphrased(seed)
        whole = f"{text}\n\nQuestion: {question}\nAnswer:"
        shorter = SELECTION.apply(Block(text=whole, role=USER, level=level))
        kept += fact in shorter
        before += len(whole)
        after += len(shorter)

    assert kept >= 54
    assert 1 - after / before >= least_saved


@pytest.mark.parametrize("level", [HIGH, EXTREME])
def test_many_short_passages_pay_for_the_notes_too(level: int) -> None:
    chance = Random(4)
    texts = [f"Kiln {n} of the {' '.join(chance.choices(WORDS, k=12))}." for n in range(300)]
    text = listed("[{n}] {text}", texts)
    block = Block(text=text, role=TOOL, level=level, question="Who fires kiln 77 of the harvest?")
    shorter = SELECTION.apply(block)

    assert texts[77] in shorter
    assert len(shorter) <= len(text) * (0.7 if level == HIGH else 0.4)


def test_short_texts_stay() -> None:
    text = listed("[{n}] {text}", passages(5, 2))[:4000]

    assert SELECTION.apply(Block(text=text, role=TOOL, level=HIGH, question=QUESTION)) is text


def test_unlabelled_paragraphs_need_a_question_and_a_word_that_they_were_retrieved() -> None:
    text = "\n\n".join(passages(16))
    head = "Use the following retrieved passages to answer."
    asked = f"{head}\n\n{text}\n\nQuestion: {QUESTION}"
    shorter = SELECTION.apply(Block(text=asked, role=USER, level=HIGH))

    assert GOLD in shorter
    assert len(shorter) < len(asked) * 0.8
    assert shorter.startswith(head)


@given(
    pieces=st.lists(st.text(max_size=200), min_size=4, max_size=12),
    style=st.sampled_from(LABELLED),
    question=st.text(max_size=60),
    level=st.sampled_from([HIGH, EXTREME]),
)
@settings(max_examples=60, deadline=None)
def test_any_text_comes_out_the_same_twice_and_never_raises(
    pieces: list[str], style: str, question: str, level: int
) -> None:
    text = listed(style, [piece + filler(Random(1), 6) for piece in pieces])
    block = Block(text=text, role=TOOL, level=level, question=f"{question} barley", call="search")

    assert SELECTION.apply(block) == SELECTION.apply(block)


@pytest.mark.parametrize(
    "unit", ["a", "<", "[", "\n", "[1] ", "<doc>", "Document 1", "Title: ", "a: ", " "]
)
def test_monotonous_megabytes_are_left_alone(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))

    assert SELECTION.apply(Block(text=text, role=TOOL, level=EXTREME, question="a b doc")) is text
