"""What looks like a list of passages but is one thing is never thinned out."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from korad.optimizer.base import EXTREME, HIGH, TOOL, USER, Block
from korad.optimizer.passages.lists import find_passages
from korad.optimizer.transforms.selection import SELECTION

QUESTION = "Which ferry does Ilmar Koidu steer to Saareku?"
_WORDS = "barley cellar quiet market river stone garden winter copper window letter".split()  # noqa: SIM905 - reads better


def prose(chance: Random, sentences: int = 3) -> str:
    return " ".join(
        f"The {' '.join(chance.choices(_WORDS, k=10))} of the {chance.choice(_WORDS)}."
        for _ in range(sentences)
    )


def repeated(unit: str) -> str:
    """Return 30 or more of `unit`, 8 KB at least: {n} is the number, {p} prose, always other."""
    chance = Random(9)
    units: list[str] = []
    while len(units) < 30 or sum(map(len, units)) < 8_000:
        filled = re.sub(r"\{p\}", lambda _: prose(chance), unit)
        units.append(filled.replace("{n}", str(len(units) + 1)))
    return "\n\n".join(units)


CONVERSATIONS = {
    "transcript": "Ana: {p}\nBo: {p}",
    "lower-case turns": "user: {p}\nassistant: {p}",
    "bold speakers": "**Ana Reyes:** {p}\n**Bo:** {p}",
    "times before names": "[10:0{n}] Ana: {p}\n[10:1{n}] Bo: {p}",
    "chat in angles": "<ana>: {p}\n<bo>: {p}",
    "subtitles": "{n}\n00:01:02,000 --> 00:01:04,000\n{p}",
    "dialogue under labels": "[{n}] Scene\nAna: {p}\nBo: {p}",
    "speakers with times": "Speaker 1 (00:12): {p}\nSpeaker 2 (00:14): {p}",
    "mail thread": "From: a@example.org\nTo: b@example.org\nSubject: no. {n}\n\n{p}",
    "quoted mail": "> From: a@example.org\n> Subject: no. {n}\n>\n> {p}",
}
DATA = {
    "functions": "def f{n}(x):\n    # Document [{n}]\n    return {'{n}': x, 'y': [x];}",
    "rows": "Document {n} | {n} | 4.5 | x | y | z | 17 | ok",
    "entries": "2026-01-02T03:04:05Z INFO worker[{n}]: a=1; b=2; c={n}; d=x; took {n} ms",
}
EXAMPLES = {
    "few-shot": "Input: {p}\nOutput: {n}",
    "few-shot under labels": "[{n}] case\nInput: {p}\nOutput: {n}",
    "numbered examples": "Example {n}\nInput: {p}\nOutput: {n}",
    "question and answer pairs": "Q: {p}\nA: {p}",
    "labelled sentiment": "Document {n}\nText: {p}\nSentiment: good",
}
EXAMS = {
    "numbered questions": "{n}. What does the river do in winter? {p}\nWhy?",
    "choices": "[{n}] {p}\nA) yes\nB) no\nC) the cellar",
    "reading tests": "Passage {n}\n{p}\nQuestion 1. Where is the copper?",
    "bare questions": "Document {n}\n{p}\n1. Where is the copper?\n2. Who wrote the letter?",
}
LISTS = {
    "boxes": "- [ ] {p}",
    "boxes under labels": "[{n}] errand\n- [x] {p}",
    "tickets": "Title: errand {n}\nStatus: open\nPriority: high\n{p}",
    "tasks": "Task {n}: {p}",
    "steps": "Step {n}: {p}",
    "steps under brackets": "[{n}] Step {n}: {p}",
    "checklist": "{n}. {p}",
    "numbered orders": "[{n}] {p}",
    "releases": "## 1.{n}.0\n\n### Fixed\n\n{p}",
    "releases by name": "### Result {n}\n## [2.{n}.1] - 2026-01-02\n{p}",
}
LAW = {
    "articles": "Article {n}\n{p}",
    "clauses under labels": "[{n}] Section {n}. {p}",
    "paragraph signs": "§ {n} Of the river. {p}",
    "judgment": "[{n}] The appellant, pursuant to the order, says the respondent errs. {p}",
    "agreement": "Document {n}\nThe licensee shall hold the licensor harmless; hereby agreed. {p}",
}
WHOLE = {**CONVERSATIONS, **DATA, **EXAMPLES, **EXAMS, **LISTS, **LAW, "article": "{p} {p}"}


@pytest.mark.parametrize("level", [HIGH, EXTREME])
@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_one_thing_stays_in_a_users_text(kind: str, level: int) -> None:
    beside = f"\n\n{QUESTION}" if kind == "numbered orders" else f"\n\nQuestion: {QUESTION}"
    text = repeated(WHOLE[kind]) + beside

    assert SELECTION.apply(Block(text=text, role=USER, level=level)) is text


@pytest.mark.parametrize("kind", sorted(WHOLE.keys() - {"checklist", "numbered orders"}))
def test_what_is_one_thing_stays_in_a_tools_output(kind: str) -> None:
    text = repeated(WHOLE[kind])
    block = Block(text=text, role=TOOL, level=EXTREME, question=QUESTION, call="search {}")

    assert SELECTION.apply(block) is text


@pytest.mark.parametrize(
    "head",
    [
        "Here is the transcript:",
        "My to-do list for May:",
        "CHANGELOG",
        "The exam, part two",
        "Follow these steps:",
        "This agreement binds both.",
    ],
)
def test_a_list_that_is_announced_as_one_thing_stays(head: str) -> None:
    text = f"{head}\n\n{repeated('Document {n}: {p}')}\n\nQuestion: {QUESTION}"

    assert [] == find_passages(text, USER, "")


@pytest.mark.parametrize("fence", ["python", "json", "yaml", "csv"])
def test_what_stands_in_a_fence_of_code_stays(fence: str) -> None:
    text = repeated("Document {n}: {p}")
    block = Block(text=text, role=USER, level=EXTREME, fence=fence, question=QUESTION)

    assert SELECTION.apply(block) is text


@pytest.mark.parametrize(
    "unit",
    [
        "Document [{n}](Title: River {n}) {p}",
        "Title: River {n}\nURL: https://example.org/{n}\nPublished: 2026-01-02\nRating: 4\n{p}",
        "### Result {n}\nSource: https://example.org/{n}\nRelevance: 0.{n}\n{p}",
        "Document {n}\nAct I opened in 1901. Section 3 was added. {p}",
    ],
)
def test_search_results_with_fields_are_still_a_list(unit: str) -> None:
    found = find_passages(f"{repeated(unit)}\n\nQuestion: {QUESTION}", USER, "")

    assert len(found) == 30


def _long_prose_then(unit: str) -> str:
    return prose(Random(2), 300) + "\n" + unit * (1_000_000 // len(unit))


@pytest.mark.parametrize("wrap", [lambda unit: unit * (1_000_000 // len(unit)), _long_prose_then])
@pytest.mark.parametrize("unit", ["\n", "\n ", "\n[1] ", "A: b\n", "\n1. a", "\nTitle: ", "\n---"])
def test_a_megabyte_of_short_lines_is_left_alone(unit: str, wrap: Callable[[str], str]) -> None:
    assert [] == find_passages(wrap(unit), TOOL, "search")
