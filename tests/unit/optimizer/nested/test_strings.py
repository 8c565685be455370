"""Finding the long strings of a JSON text."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.nested.strings import (
    CHARS_MIN,
    STRINGS_MAX,
    all_within,
    long_strings,
    may_hold_strings,
    texts_within,
)

PLAIN = "no escape in it " * 40
LINES = 'a "b" \\ é\n' * 40
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.text(alphabet='ab"\\\n/é\x00😀', min_size=CHARS_MIN, max_size=CHARS_MIN + 40),
    lambda each: (
        st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=9), each, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


def found(value, **options):
    text = json.dumps(value, **options)
    strings = long_strings(text) if may_hold_strings(text) else []
    assert [each.text for each in strings] == [
        json.loads(f'"{text[each.start : each.end]}"') for each in strings
    ]
    return [each.text for each in strings]


def place(members):
    """Return where the string of lines among an object's members is said to be from."""
    (string,) = long_strings(json.dumps([{"path": "other.py"}, members, {"url": "https://o"}]))
    return string.place


@pytest.mark.parametrize(
    "value",
    [
        {"stdout": LINES, "exit_code": 0},
        [{"type": "text", "text": LINES}],
        {"content": [{"type": "text", "text": LINES}], "isError": False},
        {"data": {"result": {"output": LINES}}},
        ["C:\\", LINES, "\\\\", '"', ""],
        LINES,
        {"page_content": LINES},
        {"keyword": LINES},
    ],
)
@pytest.mark.parametrize("options", [{}, {"indent": 2}, {"ensure_ascii": False}])
def test_a_long_string_is_found_wherever_it_stands(value, options):
    assert [LINES] == found(value, **options)


@pytest.mark.parametrize(
    "value",
    [
        {"stdout": "a\n" * 100, "exit_code": 0},
        {"prose": "no escape in it " * 40},
        {"a\n" * 200: 1},
        [1, 2, 3, "\n"],
        {},
        "\n",
    ],
    ids=["short", "plain", "key", "numbers", "empty", "small"],
)
def test_other_strings_are_not(value):
    assert [] == found(value)


@pytest.mark.parametrize(
    "name",
    [
        *("next_page_token", "nextPageToken", "cursor", "key", "api_key", "apiKey", "thinking"),
        *("arguments", "args", "input", "code", "id", "call-id", "etag", "encrypted_content"),
        *("session", "Set-Cookie", "password", "schema", "params", "reasoning_content"),
    ],
)
def test_what_is_passed_on_as_it_is_is_left_out(name):
    assert [LINES] == found({name: LINES + "!", "stdout": LINES})


@pytest.mark.parametrize(
    "value",
    [
        {"signature": [LINES]},
        {"token": {"v": LINES}},
        {"arguments": {"content": LINES}},
        {"arguments": [[], {}, 1, [[1], {"a": [LINES]}]]},
        {"cursor": {"a": {"b": "c"}, "x": LINES}},
        {"input": {"text": LINES}},
        {"tool_calls": [{"function": {"name": "f", "arguments": {"text": LINES}}}]},
        {"encrypted": {"content": LINES}},
        {"reasoning_details": [{"text": LINES}]},
        {"thinking": LINES, "signature": "x"},
        {"text": LINES, "signature": "x"},
        {"signature": None, "n": [1], "text": LINES},
        {"a": [{"text": [LINES]}, 1], "n": {}, "thoughtSignature": "x"},
        {"text": LINES, "sig": "x"},
    ],
)
@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"separators": (",", ":")}])
def test_what_stands_under_such_a_name_or_by_a_signature_is_left_out(value, options):
    assert [LINES + "!"] == found([{"stdout": LINES + "!"}, value], **options)
    assert [LINES + "!"] == found({"a": value, "b": [LINES + "!"]}, **options)


@pytest.mark.parametrize(
    "value",
    [
        {"arguments": [], "stdout": LINES},
        {"arguments": [1, 2], "more": [{"stdout": LINES}]},
        {"arguments": {}, "more": {"stdout": LINES}},
        {"arguments": {"a": ["b"]}, "stdout": LINES},
        [{"arguments": {"a": "b"}}, {"stdout": LINES}],
        [{"arguments": [[1]]}, {"stdout": LINES}],
        [{"arguments": [1], "n": 0}, {"stdout": LINES}],
        [{"signature": "x", "a": {"b": 1}}, {"stdout": LINES}],
        {"parts": [{"thinking": "a", "signature": "x"}, {"text": LINES}]},
        ["signature", LINES],
        {"name": "signature", "stdout": LINES},
        {"signature_count": 1, "stdout": LINES, "config": 1},
        {"a": "arguments", "b": {"stdout": LINES}},
    ],
)
@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"separators": (",", ":")}])
def test_what_stands_beside_it_is_not_left_out(value, options):
    assert [LINES] == found(value, **options)


def test_all_strings_are_told_in_order_with_those_that_are_long():
    deep = json.dumps({"c": LINES, "d": json.dumps([LINES])})
    text = json.dumps({"a": "b", "token": LINES, "n": [1, {}, deep], "e": PLAIN})
    told = list(all_within(text))

    assert texts_within(text) == [said for said, is_long in told if is_long]
    assert ["a", "b", "token", LINES, "n", deep, "c", LINES, "d", json.dumps([LINES])] == [
        said for said, _ in told[:10]
    ]
    assert [(LINES, False), ("e", False), (PLAIN, False)] == told[10:]


@settings(deadline=None)
@given(value=JSON_VALUES, indent=st.sampled_from([None, 1]))
def test_all_strings_of_any_json_are_told(value, indent):
    texts = texts_within(text := json.dumps(value, indent=indent))
    told = list(all_within(text))

    assert texts == [said for said, is_long in told if is_long]
    assert [each for each in strings_of(value) if each not in {said for said, _ in told}] == []


@pytest.mark.parametrize("text", ["", "a", '"', '{"a": ', '{"a": "b"} c', "[1]", "{}"])
def test_what_is_no_json_or_has_no_strings_tells_none(text):
    assert [] == list(all_within(text))


@pytest.mark.parametrize(
    "text",
    [
        f'"{LINES}"',
        json.dumps({"a": LINES})[:-1],
        json.dumps({"a": LINES}) + "\n" + json.dumps({"b": LINES}),
        "Result: " + json.dumps({"a": LINES}),
        json.dumps({"a": LINES}).replace("\\n", "\n"),
        '[2026-03-01] C:\\temp "x" read\n' * 20 + "]",
        '"I said \\n so", he said, "' + "a" * CHARS_MIN + '"',
        '{"a": "' + "\\ud800\\n" * 300 + '"}',
        '{"a": "' + "\\x\\n" * 300 + '"}',
    ],
    ids=["raw", "cut", "two", "words", "line ends", "log", "speech", "surrogate", "bad escape"],
)
def test_what_is_not_one_json_value_has_none(text):
    assert [] == (long_strings(text) if may_hold_strings(text) else [])


def test_of_many_the_longest_are_looked_at_in_their_order():
    value = [f"{n}\n" + "x" * (CHARS_MIN + n % 7) for n in range(STRINGS_MAX + 20)]
    chosen = found(value)

    assert STRINGS_MAX == len(chosen)
    assert sorted(chosen, key=value.index) == chosen
    assert min(map(len, chosen)) >= max(len(each) for each in value if each not in chosen) - 1


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"text": LINES}, ""),
        ({"path": "a/b.py", "text": LINES}, ' open {"path": "a/b.py"}'),
        ({"text": LINES, "filename": "b.py"}, ' open {"path": "b.py"}'),
        ({"name": "b.py", "meta": {"size": [1, 2]}, "text": LINES}, ' open {"path": "b.py"}'),
        ({"text": LINES, "at": [{"path": "no.py"}], "file": "b.py"}, ' open {"path": "b.py"}'),
        ({"url": "https://e.org/a.py", "text": LINES}, ' {"url": "https://e.org/a.py"}'),
        (
            {"file": "b.py", "text": LINES, "href": "http://e.org/"},
            ' open {"path": "b.py"} {"url": "http://e.org/"}',
        ),
        ({"file_path": "Makefile", "text": LINES}, ' open {"path": "Makefile"}'),
        ({"name": "fetch", "text": LINES}, ""),
        ({"url": "/ferry", "text": LINES}, ' {"url": "/ferry"}'),
        ({"uri": "file:///a.py", "text": LINES}, ' open {"path": "file:///a.py"}'),
        ({"path": "https://e.org", "text": LINES}, ' {"url": "https://e.org"}'),
        ({"site": "https://e.org", "text": LINES}, ""),
        ({"path": "x" * 301, "text": LINES}, ""),
        ({"title": "path", "text": LINES}, ""),
        ({"path": ["no.py"], "text": LINES}, ""),
        ({"path": "no.py", "list": [{"text": LINES}]}, ""),
        ({"path": "far.py", **{f"k{n}": "v" for n in range(40)}, "text": LINES}, ""),
    ],
)
def test_its_object_says_where_a_string_is_from(members, expected):
    assert expected == place(members)


def strings_of(value):
    """Return the strings of a value that stand under no name, in order."""
    if isinstance(value, str):
        return [value]
    return [each for item in value for each in strings_of(item)] if isinstance(value, list) else []


@settings(deadline=None)
@given(value=JSON_VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_any_json_is_taken_apart_as_a_parser_does(value, ascii_only, indent):
    chosen = found(value, ensure_ascii=ascii_only, indent=indent)
    nameless = [each for each in strings_of(value) if len(each) >= CHARS_MIN]
    escaped = [e for e in nameless if "\\" in json.dumps(e, ensure_ascii=ascii_only)]

    assert [each for each in escaped if each in chosen] == escaped


@given(st.text(alphabet='[]{}":,\\\n a1u', max_size=600))
def test_no_text_makes_it_fail(text):
    for each in long_strings(text):
        assert each.text == json.loads(f'"{text[each.start : each.end]}"', strict=False)


@pytest.mark.parametrize(
    "text", ["", "  ", "plain \\ text", "[no escape]", '{"a": "\\n"} and', "{\\"]
)
def test_most_texts_are_told_at_a_glance(text):
    assert not may_hold_strings(text)
