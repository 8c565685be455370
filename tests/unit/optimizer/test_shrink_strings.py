"""How the long strings of a tool result that is JSON are shortened."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only
from collections import Counter

import pytest

from korad.optimizer import shrink
from korad.optimizer.base import HIGH, LOW, MARK, MEDIUM, TOOL, Transform
from korad.optimizer.context import Context
from korad.optimizer.messages import read_message
from korad.optimizer.shrink import STRINGS, UNCHANGED, Shrinker
from korad.optimizer.transforms import Reference

LINES = "\n".join(["some words of a line"] * 60)
MORE = "\n".join(["other words of it"] * 60)


def words(text):
    return len(text.replace("\\n", " ").split())


def cut(name="Cut", *, to="cut", only=LINES, level=LOW, **fields):
    """Return a transform that makes one text another."""
    return Transform(
        name=name,
        level=level,
        apply=lambda block: to if block.text == only else block.text,
        **fields,
    )


class Bench:
    """A shrinker, and what it counted as failed."""

    def __init__(self, *transforms, references=()):
        self.failures = Counter()
        self.context = Context()
        self._shrinker = Shrinker(transforms, references, words, self.failures)

    def form(self, content, level=MEDIUM, role="tool"):
        raw = json.dumps({"role": role, "content": content, "tool_call_id": "c"}).encode()
        read = read_message(raw)
        self.context.open(read)
        return self._shrinker.form_of(raw, read, level, self.context)[0]

    def text(self, value, level=MEDIUM, role="tool"):
        content = value if isinstance(value, str) else json.dumps(value)
        form = self.form(content, level, role)
        return content if form.raw is None else json.loads(form.raw)["content"]


def keeping(blocks):
    """Return a transform that changes nothing and keeps what it is given."""
    return Transform(name="Keep", level=LOW, apply=lambda block: blocks.append(block) or block.text)


def test_a_string_goes_through_the_steps_as_a_text_of_its_own():
    bench = Bench(cut("A", to="one two"), cut("B", to="b", only="one two", exact=True))
    form = bench.form(json.dumps({"stdout": LINES, "exit_code": 0}))

    assert ("A", "B") == form.applied
    assert '{"stdout": "b", "exit_code": 0}' == json.loads(form.raw)["content"]


@pytest.mark.parametrize(
    ("level", "role", "expected"),
    [(LOW, "tool", False), (MEDIUM, "tool", True), (HIGH, "function", True), (HIGH, "user", False)],
)
def test_strings_are_looked_into_from_medium_on_in_what_a_tool_returned(level, role, expected):
    value = {"stdout": LINES}

    assert expected is (json.dumps(value) != Bench(cut()).text(value, level, role))


@pytest.mark.parametrize(("others", "is_taken"), [(50, True), (800, False)])
def test_the_change_must_pay_for_the_whole(others, is_taken):
    value = {"a": LINES, "b": ["word"] * others}
    to = LINES[: len(LINES) * 7 // 8]
    assert 32 <= words(LINES) - words(to)

    assert is_taken is (json.dumps(value) != Bench(cut(to=to)).text(value))


def test_what_does_not_pay_is_not_named():
    bench = Bench(cut(to=LINES[4:], exact=True), cut("Whole", only="x"))

    assert UNCHANGED == bench.form(json.dumps({"a": LINES, "b": ["word"] * 500}))


def test_fences_within_a_string_part_it():
    blocks = []
    Bench(keeping(blocks)).text({"text": f"See:\n```log\n{LINES}\n```\n"})

    assert ["See:\n```log\n", LINES, "\n```\n"] == [block.text for block in blocks[:3]]
    assert [None, "log", None] == [block.fence for block in blocks[:3]]


def test_a_block_knows_where_it_is_from():
    blocks = []
    bench = Bench(keeping(blocks))
    function = {"name": "get", "arguments": '{"id":"' + "x" * 3_000 + '"}'}
    calls = [{"id": "c", "type": "function", "function": function}]
    bench.context.open(read_message(json.dumps({"role": "user", "content": "Why?"}).encode()))
    bench.context.open(
        read_message(json.dumps({"role": "assistant", "tool_calls": calls}).encode())
    )
    bench.text({"path": "a.py", "content": LINES}, HIGH)

    assert (LINES, TOOL, HIGH, "Why?") == (
        blocks[0].text,
        blocks[0].role,
        blocks[0].level,
        blocks[0].question,
    )
    assert blocks[0].call.startswith('get {"id":"xx')
    assert blocks[0].call.endswith(' open {"path": "a.py"}')
    assert len(blocks[0].call) < 2_000
    assert blocks[-1].call.endswith('x"}')


@pytest.mark.parametrize(("depth", "expected"), [(1, True), (2, True), (3, False)])
def test_strings_are_looked_into_two_deep(depth, expected):
    value = {"stdout": LINES}
    for _ in range(depth - 1):
        value = [{"type": "text", "text": json.dumps(value)}]
    new = json.loads(Bench(cut()).text(value))
    for _ in range(depth - 1):
        new = json.loads(new[0]["text"])

    assert expected is (new == {"stdout": "cut"})


def test_the_whole_goes_through_the_steps_after_its_strings():
    seen = []
    bench = Bench(cut(), keeping(seen))
    bench.text({"stdout": LINES})

    assert ["cut", '{"stdout": "cut"}'] == [block.text for block in seen]


def test_a_text_with_a_mark_gets_no_notes():
    bench = Bench(cut("Noting", notes=True), cut("Plain", to="other", only=MORE))
    value = {"a": f"x\n{MARK} y]", "b": LINES, "c": MORE}

    assert value | {"c": "other"} == json.loads(bench.text(value))


@pytest.mark.parametrize(
    "hide", ["\\u005bkorad:", "[kor\\u0061d:", "[korad\\u003A", "[k\\u006Frad:"]
)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_text_that_hides_a_mark_by_its_spelling_gets_no_notes(hide, depth):
    bench = Bench(cut("Noting", notes=True), cut("Plain", to="other", only=MORE))
    inside = json.dumps(f"{MARK} same]").replace(MARK, hide)
    for _ in range(depth - 1):
        inside = json.dumps(json.loads(inside) if "\\" not in inside else inside)
    value = json.dumps({"a": 0, "b": LINES, "c": MORE}).replace("0", inside, 1)

    assert MARK not in value
    assert json.loads(value) | {"c": "other"} == json.loads(bench.text(value))


def test_what_only_looks_like_it_is_noted():
    value = json.dumps({"a": "é [korad] x \u0001", "b": LINES})

    assert "cut" == json.loads(Bench(cut(notes=True)).text(value))["b"]


def test_a_string_that_hides_a_mark_stays():
    hiding = f"{LINES}\n{MARK} x]"
    value = json.dumps({"a": hiding, "b": LINES}).replace("[korad", "\\u005bkorad")
    new = Bench(cut(only=hiding), cut()).text(value)

    assert {"a": hiding, "b": "cut"} == json.loads(new)


def test_if_notes_for_the_whole_are_worth_more_the_strings_get_none():
    value = {"stdout": LINES, "rows": MORE}

    def table(block):
        return "rows" if block.text[0] == "{" and MARK not in block.text else block.text

    whole = Transform(name="Table", level=LOW, apply=table, notes=True)
    form = Bench(cut(to=f"{MARK} cut]", notes=True), whole).form(json.dumps(value))

    assert ("Table",) == form.applied
    assert "rows" == json.loads(form.raw)["content"]


def test_what_was_worth_more_by_notes_in_strings_keeps_them():
    value = {"stdout": LINES, "n": 1}
    whole = Transform(name="Table", level=LOW, apply=lambda b: b.text[: len(b.text) // 2])
    noting = cut(to=f"{MARK} cut]", notes=True)

    assert ("Cut",) == Bench(noting, whole).form(json.dumps(value)).applied[:1]


def test_a_string_points_back_only_where_the_whole_cannot():
    seen = []

    def refer(block, _):
        seen.append(block.text)
        return f"{MARK} same]" if block.text in known else block.text

    value = {"stdout": LINES}
    for known in ([LINES], [LINES, json.dumps(value)]):
        bench = Bench(references=[Reference(name="Same", level=LOW, refer=refer)])
        last = bench.text(value)

        assert (f"{MARK} same]" == last) is (len(known) > 1)
        assert (f'{{"stdout": "{MARK} same]"}}' == last) is (len(known) == 1)
    assert [json.dumps(value), LINES, json.dumps(value)] == seen


def test_a_transform_that_raises_in_a_string_leaves_it_and_is_counted():
    def broken(block):
        if block.text == LINES:
            raise LookupError(block.text)
        return block.text

    bench = Bench(Transform(name="Broken", level=LOW, apply=broken), cut(only=MORE))

    assert {"a": LINES, "b": "cut"} == json.loads(bench.text({"a": LINES, "b": MORE}))
    assert Counter({"Broken": 1}) == bench.failures


@pytest.mark.parametrize("name", ["long_strings", "rewritten"])
def test_what_fails_around_strings_leaves_them_and_is_counted(name, monkeypatch):
    def broken(*_):
        raise LookupError(name)

    monkeypatch.setattr(shrink, name, broken)
    bench = Bench(cut())

    assert UNCHANGED == bench.form(json.dumps({"stdout": LINES}))
    assert bench.failures[STRINGS] >= 1
    assert {STRINGS} == set(bench.failures)


def test_a_text_without_escapes_costs_no_look(monkeypatch):
    monkeypatch.setattr(shrink, "long_strings", pytest.fail)

    assert UNCHANGED == Bench(cut()).form(json.dumps({"prose": "no line ends " * 100}))
