"""How one message is shortened."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from korad.optimizer.base import HIGH, LOW, MARK, MEDIUM, TOOL, USER, Transform
from korad.optimizer.context import Context
from korad.optimizer.messages import read_message
from korad.optimizer.shrink import BLOCK_CHARS_MIN, MESSAGE, UNCHANGED, Shrinker
from korad.optimizer.transforms import Reference

PROSE = "word " * 100
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/" + "y" * 100}}


def words(text):
    return len(text.split())


def cutting(name="Cut", level=LOW, *, share=0.5, **fields):
    """Return a transform that keeps that share of a text."""
    return Transform(
        name=name, level=level, apply=lambda block: block.text[: int(len(block.text) * share)],
        **fields,
    )  # fmt: skip


def broken(_block):
    raise LookupError("broken")


class Bench:
    """A shrinker, and what it counted as failed."""

    def __init__(self, *transforms, references=(), context=None):
        self.failures = Counter()
        self.context = context or Context()
        self._shrinker = Shrinker(transforms, references, words, self.failures)

    def form(self, message, level=MEDIUM):
        raw = message if isinstance(message, bytes) else orjson.dumps(message)
        read = read_message(raw)
        self.context.open(read)
        return self._shrinker.form_of(raw, read, level, self.context)[0]

    def text(self, content, level=MEDIUM, role="user"):
        form = self.form({"role": role, "content": content}, level)
        return content if form.raw is None else orjson.loads(form.raw)["content"]


def keeping(blocks):
    """Return a transform that changes nothing and keeps what it is given."""
    return Transform(name="Keep", level=LOW, apply=lambda block: blocks.append(block) or block.text)


@pytest.mark.parametrize(("level", "expected"), [(LOW, 0), (MEDIUM, 1), (HIGH, 1)])
def test_a_level_runs_its_own_transforms_and_those_below(level, expected):
    form = Bench(cutting(level=MEDIUM)).form({"role": "user", "content": PROSE}, level)

    assert expected == len(form.applied)


def test_transforms_run_in_their_order_each_on_what_the_one_before_left():
    bench = Bench(cutting("A"), cutting("B"), cutting("C"))
    form = bench.form({"role": "user", "content": PROSE * 4})

    assert ("A", "B", "C") == form.applied
    assert len(PROSE) // 2 == len(orjson.loads(form.raw)["content"])


def test_references_run_last():
    def refer(block, _seen):
        return "R" if block.text == PROSE[: len(PROSE) // 2] else block.text

    bench = Bench(cutting("A"), references=[Reference(name="R", level=LOW, refer=refer)])

    assert bench.text(PROSE) == "R"


def test_a_transform_that_raises_leaves_the_text_and_is_counted():
    bench = Bench(Transform(name="Broken", level=LOW, apply=broken), cutting("A"))
    form = bench.form({"role": "user", "content": PROSE})

    assert ("A",) == form.applied
    assert Counter({"Broken": 1}) == bench.failures


def test_a_reference_that_raises_leaves_the_text_and_is_counted():
    reference = Reference(name="R", level=LOW, refer=lambda block, _seen: broken(block))
    bench = Bench(references=[reference])

    assert UNCHANGED == bench.form({"role": "user", "content": PROSE})
    assert Counter({"R": 1}) == bench.failures


def test_what_cannot_be_written_leaves_the_message_and_is_counted():
    bench = Bench(Transform(name="Odd", level=LOW, apply=lambda _: "\ud800", exact=True))

    assert UNCHANGED == bench.form({"role": "user", "content": PROSE})
    assert Counter({MESSAGE: 1}) == bench.failures


@pytest.mark.parametrize(
    ("share", "exact", "is_taken"),
    [(0.97, False, False), (0.97, True, True), (0.5, False, True), (1.0, True, False)],
)
def test_a_change_is_taken_if_it_pays(share, exact, is_taken):
    bench = Bench(cutting(share=share, exact=exact))

    assert is_taken == (bench.text(PROSE) != PROSE)
    assert not bench.failures


def test_a_text_that_grows_is_not_taken():
    bench = Bench(Transform(name="Grow", level=LOW, apply=lambda b: b.text * 2, exact=True))

    assert UNCHANGED == bench.form({"role": "user", "content": PROSE})


def test_what_one_transform_refused_the_next_may_do():
    bench = Bench(cutting("Little", share=0.99), cutting("Much", share=0.1))

    assert ("Much",) == bench.form({"role": "user", "content": PROSE}).applied


def test_a_text_with_a_mark_gets_no_notes():
    bench = Bench(cutting("Noting", notes=True), cutting("Plain", share=0.8))
    form = bench.form({"role": "user", "content": f"{PROSE}{MARK} {PROSE}"})

    assert ("Plain",) == form.applied


def test_a_mark_in_one_block_keeps_notes_from_all_of_the_text():
    bench = Bench(cutting("Noting", notes=True))

    assert UNCHANGED == bench.form(
        {"role": "user", "content": f"```\n{PROSE}\n```\n{PROSE} {MARK} x]"}
    )


def test_a_mark_in_one_part_leaves_notes_to_the_others():
    bench = Bench(cutting("Noting", notes=True))
    parts = [{"type": "text", "text": PROSE + MARK}, {"type": "text", "text": PROSE}]
    kept, cut = bench.text(parts)

    assert parts[0] == kept
    assert len(PROSE) // 2 == len(cut["text"])


def test_short_texts_are_left_alone():
    bench = Bench(cutting(share=0, exact=True))

    assert "w " * (BLOCK_CHARS_MIN // 2 - 1) == bench.text("w " * (BLOCK_CHARS_MIN // 2 - 1))
    assert bench.text("w " * (BLOCK_CHARS_MIN // 2)) == ""


def test_a_question_about_the_form_keeps_it():
    context = Context()
    context.open(read_message(b'{"role":"user","content":"Is the indentation right?"}'))
    bench = Bench(cutting(), context=context)

    assert UNCHANGED == bench.form({"role": "tool", "content": PROSE, "tool_call_id": "c"})


def test_a_block_knows_where_it_stands():
    blocks = []
    bench = Bench(keeping(blocks))
    function = {"name": "read", "arguments": '{"path":"a"}'}
    calls = [{"id": "c", "type": "function", "function": function}]
    bench.context.open(read_message(orjson.dumps({"role": "user", "content": "Why?"})))
    bench.context.open(read_message(orjson.dumps({"role": "assistant", "tool_calls": calls})))
    bench.form({"role": "tool", "tool_call_id": "c", "content": f"a\n```py\n{PROSE}\n```\n"}, HIGH)

    assert ["a\n```py\n", PROSE, "\n```\n"] == [block.text for block in blocks]
    assert [None, "py", None] == [block.fence for block in blocks]
    assert {(TOOL, HIGH, "Why?", 'read {"path":"a"}')} == {
        (block.role, block.level, block.question, block.call) for block in blocks
    }


@pytest.mark.parametrize(("role", "expected"), [("user", USER), ("tool", TOOL), ("function", TOOL)])
def test_a_block_knows_whose_it_is(role, expected):
    blocks = []
    Bench(keeping(blocks)).form({"role": role, "content": PROSE})

    assert [expected] == [block.role for block in blocks]


def test_only_the_inside_of_a_fence_changes_with_it():
    bench = Bench(
        Transform(
            name="Fenced",
            level=LOW,
            apply=lambda block: block.text if block.fence is None else "cut",
        )
    )

    assert f"Why?\r\n~~~log\ncut\r\n~~~\n{PROSE}" == bench.text(
        f"Why?\r\n~~~log\n{PROSE}\r\n~~~\n{PROSE}"
    )


def test_parts_without_a_text_stay_as_they_are():
    bench = Bench(cutting())
    parts = [IMAGE, {"type": "text", "text": PROSE, "x": 1}, {"type": "text", "text": "short"}]
    new = bench.text(parts)

    assert parts[::2] == new[::2]
    assert {"type": "text", "text": PROSE[: len(PROSE) // 2], "x": 1} == new[1]


def test_a_transform_that_ran_on_several_blocks_is_named_once():
    content = "\n".join([f"```\n{PROSE}\n```"] * 3)

    assert ("Cut",) == Bench(cutting(exact=True)).form({"role": "user", "content": content}).applied
