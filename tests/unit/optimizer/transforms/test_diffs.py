"""Unified diffs keep one line of context, and stay unified diffs."""

from __future__ import annotations

import difflib
import re

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import HIGH, TOOL, USER, Block
from korad.optimizer.transforms.diffs import DIFF_CONTEXT

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def trim(text, **given_):
    return DIFF_CONTEXT.apply(Block(text=text, **({"role": TOOL, "level": HIGH} | given_)))


def diff(old, new, context):
    return "\n".join(difflib.unified_diff(old, new, "a/f.py", "b/f.py", n=context, lineterm=""))


def apply(patch, old):
    """Apply a unified diff to a list of lines."""
    new, at = [], 0
    for line in patch.split("\n")[2:]:
        hunk = HUNK.match(line)
        if hunk:
            start = int(hunk[1]) - (hunk[2] != "0")
            new += old[at:start]
            at = start
        elif line.startswith("+"):
            new.append(line[1:])
        else:
            assert old[at] == line[1:]
            at += 1
            new += [line[1:]] * (not line.startswith("-"))
    return new + old[at:]


OLD = [f"line {n}" for n in range(60)]
NEW = [*OLD[:20], "new a", *OLD[20:40], *OLD[41:43], "new b", *OLD[43:]]


def test_one_line_of_context_stays_around_each_change():
    expected = (
        "--- a/f.py\n+++ b/f.py\n@@ -20,2 +20,3 @@\n line 19\n+new a\n line 20\n"
        "@@ -40,5 +41,5 @@\n line 39\n-line 40\n line 41\n line 42\n+new b\n line 43"
    )

    assert expected == trim(diff(OLD, NEW, 10))


def test_the_functions_name_stays_in_the_hunks_header():
    text = diff(OLD, NEW, 3).replace(" @@\n", " @@ def f(x):\n", 1)

    assert "@@ -20,2 +20,3 @@ def f(x):\n" in trim(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=40),
    st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=40),
    st.integers(2, 12),
)
def test_what_is_left_says_the_same_and_keeps_every_change(old, new, context):
    text = diff(old, new, context)
    shorter = trim(text)

    assert trim(text) == shorter
    assert len(shorter) <= len(text)
    if text:
        assert new == apply(shorter, old)
        assert [x for x in text.split("\n") if x[:1] in {"+", "-"}] == [
            x for x in shorter.split("\n") if x[:1] in {"+", "-"}
        ]


@pytest.mark.parametrize(
    "question",
    [
        "Apply this diff",
        "please edit f.py like that",
        "is there a merge conflict?",
        "what of @@ -7?",
    ],
)
def test_who_needs_the_context_has_it(question):
    text = diff(OLD, NEW, 10)

    assert text is trim(text, question=question)


def test_a_context_line_that_is_asked_for_stays():
    text = diff(OLD, [*OLD[:30], "x", *OLD[30:]], 10)

    assert "\n line 33\n line 34\n line 35" in trim(text, question='is "line 34" changed?')


@pytest.mark.parametrize("name", ["package-lock.json", "web/yarn.lock", "go.sum", "a/app.min.js"])
def test_hunks_of_generated_files_are_counted(name):
    text = f"diff --git a/{name} b/{name}\n" + diff(OLD, NEW, 3).replace("f.py", name)
    expected = (
        f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n"
        "[korad: +2/-1 lines of a generated file left out]"
    )

    assert expected == trim(text)


def test_a_generated_file_that_is_asked_about_stays():
    text = diff(OLD, NEW, 3).replace("f.py", "yarn.lock")

    assert "+new a" in trim(text, question="Which dependency changed?")
    assert "+new b" in trim(text, question="What is `new b`?")


def test_two_files_of_a_log_are_told_apart():
    one = diff(OLD, NEW, 3)
    text = f"commit 1\n\n    Lock\n\n{one.replace('f.py', 'go.sum')}\n\n{one}"
    shorter = trim(text)

    assert 1 == shorter.count("of a generated file left out]")
    assert shorter.endswith(trim(one))


@pytest.mark.parametrize(
    "text",
    [
        "--- a\n+++ b\n@@ -1,9 +1,9 @@\n a\n-b\n+c",
        "--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\nwhat\n-b\n+c\n d",
        "--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d",
        "@@@ -1,3 -1,3 +1,4 @@@\n  a\n++b\n  c",
    ],
    ids=["cut short", "broken", "lean already", "combined"],
)
def test_what_cannot_be_read_or_shortened_stays(text):
    assert text is trim(text, fence="diff")


def test_a_line_without_an_end_keeps_its_remark():
    text = (
        diff([*OLD[:9], "end"], [*OLD[:9], "END"], 6).replace(
            "-end", "-end\n\\ No newline at end of file"
        )
        + "\n\\ No newline at end of file"
    )
    expected = (
        "@@ -9,2 +9,2 @@\n line 8\n-end\n\\ No newline at end of file\n+END\n"
        "\\ No newline at end of file"
    )

    assert trim(text).endswith(expected)


def test_a_users_diff_is_shortened_in_its_fence_only():
    text = diff(OLD, NEW, 10)

    assert text != trim(text, role=USER, fence="diff")
    assert text is trim(text, role=USER, fence="python")


@pytest.mark.parametrize("unit", ["@@ -", "@@ -1,9 +1,9 @@\n", "@@ -1 +1 @@\n-\n+\n", "+\n", " \n"])
def test_a_megabyte_of_one_thing_does_no_harm(unit):
    text = unit * (1_000_000 // len(unit))

    assert len(trim(text, fence="diff")) <= len(text)
