"""Texts made to take quadratic time: no look at them may."""

from __future__ import annotations

import pytest

from korad.optimizer.base import EXTREME, TOOL, Block
from korad.optimizer.recognition.asked import asked_for
from korad.optimizer.recognition.kinds import Kind, kind_of
from korad.optimizer.transforms.truncation import TRUNCATION


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["<a" + "F" * 7_990, "<" + "a:" * 3_990])
def test_a_tag_that_never_ends_is_soon_given_up(text: str) -> None:
    assert [Kind.TEXT] * 40 == [kind_of(text, call=f"call {n}") for n in range(40)]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["a.", "a.-"])
def test_a_path_that_never_ends_is_soon_given_up(unit: str) -> None:
    kinds = [kind_of(unit * (8_000 // len(unit)), call=f"call {n}") for n in range(40)]

    assert 40 == len(kinds)


@pytest.mark.timeout(5)
def test_a_row_of_signs_is_no_name() -> None:
    asked = [asked_for("@" * 4_000, "@" * 4_000) for _ in range(40)]

    assert [()] * 40 == asked
    assert ("job-7.log",) == asked_for("read job-7.log...", "")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("word", ["7", "aF", "a_"])
def test_a_call_with_a_long_word_takes_no_longer(word: str) -> None:
    text = "building one of the parts went well\n" * 300
    block = Block(text=text, role=TOOL, level=EXTREME, call=f"bash {word * 30_000}")

    assert len(TRUNCATION.apply(block)) < len(text)
