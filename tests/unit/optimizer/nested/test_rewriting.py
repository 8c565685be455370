"""Putting shorter texts in the place of strings of a JSON text."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only

from korad.optimizer.nested.rewriting import rewritten
from korad.optimizer.nested.strings import long_strings

LINES = "a/b é\n" * 60
TEXT = (
    '\n{ "n": 1.10, "n": "\\u0061", "one" : ' + json.dumps(LINES) + ',\n  "two": '
    + json.dumps("2" + LINES, ensure_ascii=False) + ', "e": 1e5 }'
)  # fmt: skip


def shortened(text, shorter):
    return rewritten(text, long_strings(text), lambda each: shorter(each.text))


def test_only_what_stands_within_the_quotation_marks_changes():
    expected = '\n{ "n": 1.10, "n": "\\u0061", "one" : "\\u00e9\\n",\n  "two": "é\\n", "e": 1e5 }'

    assert expected == shortened(TEXT, lambda _: "é\n")


def test_one_string_may_change_and_another_one_stay():
    new = shortened(TEXT, lambda text: "x" if text.startswith("2") else text)

    assert TEXT.replace(json.dumps("2" + LINES, ensure_ascii=False), '"x"') == new


def test_without_a_change_it_is_the_very_text():
    assert shortened(TEXT, lambda text: text) is TEXT


def test_a_string_that_is_spelled_in_two_ways_stays():
    text = TEXT.replace("a/b", "a\\/b", 1)
    new = shortened(text, lambda _: "x")

    assert LINES == json.loads(new)["one"]
    assert "x" == json.loads(new)["two"]
