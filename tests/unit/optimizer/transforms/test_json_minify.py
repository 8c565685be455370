"""JSON loses its white space and nothing else."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given, strategies as st

from korad.optimizer.base import LOW, MEDIUM, TOOL, USER, Block
from korad.optimizer.transforms.json_minify import JSON_MINIFY

BLANKS = st.text(" \t\r\n", max_size=3)


def minified(text, role=TOOL, level=LOW, fence=None):
    return JSON_MINIFY.apply(Block(text=text, role=role, level=level, fence=fence))


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ('{\n  "a": 1,\n  "b": [1, 2]\n}', '{"a":1,"b":[1,2]}'),
        ("\n [ 1 , 2 ] \n", "\n [1,2] \n"),
        ('{"a": "x  y, z: \\" {"}', '{"a":"x  y, z: \\" {"}'),
        ('{"a": 1.10, "b": 1E400, "c": -0.0}', '{"a":1.10,"b":1E400,"c":-0.0}'),
        ("[ 373106139212754110900081911887 ]", "[373106139212754110900081911887]"),
        ('{"a": 1, "a": 2}', '{"a":1,"a":2}'),
        ('{"t": "caf\\u00e9 \\/ \\ud83d\\ude00"}', '{"t":"caf\\u00e9 \\/ \\ud83d\\ude00"}'),
        ('{"é": "\u05e9\u200f \U0001f468\u200d"}', '{"é":"\u05e9\u200f \U0001f468\u200d"}'),
        ('{\r\n\t"a": []\r\n}\r\n', '{"a":[]}\r\n'),
    ],
)
def test_white_space_between_tokens_goes(text, short):
    assert short == minified(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "words { }",
        '"one  string"',
        "  5067165809410791934955906  ",
        "true",
        '{"a":1}',
        "[]",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1,}',
        "[1, 2",
        "{'a': 1}",
        '{ // note\n "a": 1 }',
        '{"a": 1} and more',
        '{"a": 01}',
        '{"a": "line\nbreak"}',
        '{"a": "\ud800"}',
        '{"a": "\\ud83d"}',
        '\ufeff{"a": 1}',
        "[\xa01]",
    ],
)
@pytest.mark.parametrize("level", [LOW, MEDIUM])
def test_what_is_no_json_document_or_short_already_is_the_same_text(text, level):
    assert text is minified(text, level=level)


def test_documents_in_a_row_are_shortened_from_medium_on():
    text = '{\n  "a": 1\n}\n\n[\n  2\n]\n{"b": 3}\n'

    assert text is minified(text, level=LOW)
    assert '{"a":1}\n[2]\n{"b":3}\n' == minified(text, level=MEDIUM)


def test_one_broken_document_in_a_row_keeps_them_all():
    text = '{\n  "a": 1\n}\n{"b": 3,}\n{"c": 1}'

    assert text is minified(text, level=MEDIUM)


@pytest.mark.parametrize(
    ("fence", "short"), [("json", True), ("", True), ("python", False), ("jsonc", False)]
)
@pytest.mark.parametrize("role", [USER, TOOL])
def test_in_a_fence_the_language_must_allow_for_json(role, fence, short):
    text = '{"a": 1}'

    assert ('{"a":1}' if short else text) == minified(text, role=role, fence=fence)


def test_what_a_user_may_have_typed_is_kept():
    assert '{"a":   1}' == minified('{"a":   1}', role=USER)


def test_a_long_document_that_a_user_pasted_is_shortened():
    rows = orjson.dumps([{"id": n} for n in range(40)], option=orjson.OPT_INDENT_2).decode()

    assert re.sub(r"\s", "", rows) == minified(rows, role=USER)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a": ' * 100_000 + "1" + "}" * 100_000,
        "[" + "{}\n" * 50_000 + "]",
        "[" * 200_000 + "}",
    ],
    ids=["deep", "deep objects", "many", "open"],
)
def test_an_absurd_document_is_kept(text):
    assert text is minified(text, level=MEDIUM)


LEAVES = st.sampled_from(
    [
        "0",
        "-0.0",
        "1.10",
        "1E400",
        "9" * 30,
        "null",
        "true",
        '""',
        '" a ,: "',
        r'"\u00e9\/\n\""',
        '"é{"',
    ]
).map(lambda token: [token])
KEYS = st.sampled_from(['"a"', '"a b"', r'"\u0041"'])


def joined(parts):
    """Return the tokens of `parts` with a comma between each two."""
    tokens = [token for part in parts for token in (",", *part)]
    return tokens[1:]


VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: ["[", *joined(parts), "]"])
        | st.lists(st.tuples(KEYS, inner), max_size=4).map(
            lambda pairs: ["{", *joined([[key, ":", *value] for key, value in pairs]), "}"]
        )
    ),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=4).map(lambda parts: ["[", *joined(parts), "]"]), st.data())
def test_every_token_stays_as_it_was_written(tokens, data):
    blanks = data.draw(st.lists(BLANKS, min_size=1, max_size=8))
    text = "".join(blanks[at % len(blanks)] + token for at, token in enumerate(tokens))
    once = minified(text)

    assert "".join(tokens) == once.strip(" \t\r\n")
    assert once is minified(once)


@given(st.text('{}[]",: \n1a\\', max_size=60), st.sampled_from([LOW, MEDIUM]))
def test_any_text_keeps_its_ink(text, level):
    once = minified(text, level=level)

    assert re.sub(r"\s", "", text) == re.sub(r"\s", "", once)
    assert once == minified(once, level=level)
