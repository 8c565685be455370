"""What a question or a call asks for by name."""

from __future__ import annotations

import pytest

from korad.optimizer.recognition.asked import asked_for, asked_in


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Where in tasks.py did it fail?", ("tasks.py",)),
        ("did task 59b40c8e succeed", ("59b40c8e",)),
        ("what of INV-17, and 502?", ("INV-17", "502")),
        ('find "the big run" or `x y z`', ("the big run", "x y z")),
        ("it's what they don't show", ()),
        ("is anything slow", ()),
        ("look:\n    pasted Frame.java:12\nat Main", ("Main",)),
    ],
)
def test_names_numbers_paths_and_quotes_are_asked_for(question, asked):
    assert asked == asked_for(question, "")


def test_a_calls_words_are_asked_for_and_its_argument_names_are_not():
    asked = asked_for("", 'run {"max_lines": 30, "command": "pytest tests/test_a.py -k up"}')

    assert ("30", "tests/test_a.py") == asked


def test_of_a_long_question_the_ends_are_read_and_32_names_are_enough():
    middle = " ".join(f"m{n}" for n in range(3_000))
    question = f"First {middle} and Last"

    assert 32 == len(asked_for(question, ""))
    assert "m1500" not in asked_for(question, "")


def test_what_stands_in_a_text_and_singles_lines_out_is_found():
    lines = [f"Worker {n}" for n in range(100)]
    text = "\n".join(lines)
    asked = asked_in(text, "did Worker 77 or Joe stop?", "")

    assert ["Worker 77"] == list(filter(asked.is_in, lines))
    assert asked_in(text, "did Joe stop?", "") is None
