"""Finding the fenced parts of a message."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from korad.optimizer.regions import split

PIECES = ("```", "````", "~~~", "~~~~", "`", " ", "    ", "\n", "\r\n", "\r", "json", "a b", "é")


def as_pairs(text):
    return [(region.text, region.fence) for region in split(text)]


@pytest.mark.parametrize("text", ["", "plain", "a `b` c\n", "two `` ticks", "~~struck~~"])
def test_text_without_a_fence_is_one_region(text):
    assert [(text, None)] == as_pairs(text)


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("```\nx\n```", [("```\n", None), ("x", ""), ("\n```", None)]),
        (
            "see\n```json\n{}\n\n```\nthen",
            [("see\n```json\n", None), ("{}\n", "json"), ("\n```\nthen", None)],
        ),
        ("~~~ Log\na\n~~~\n", [("~~~ Log\n", None), ("a", "log"), ("\n~~~\n", None)]),
        (
            '```python title="x.py"\npass\n```',
            [('```python title="x.py"\n', None), ("pass", "python"), ("\n```", None)],
        ),
        ("```{.c++ #id}\nx\n```", [("```{.c++ #id}\n", None), ("x", "c++"), ("\n```", None)]),
        ("```a.py:7\nx\n```", [("```a.py:7\n", None), ("x", "a"), ("\n```", None)]),
        (
            "````md\n```\nx\n```\n````",
            [("````md\n", None), ("```\nx\n```", "md"), ("\n````", None)],
        ),
        ("```\nx\n`````  \ny", [("```\n", None), ("x", ""), ("\n`````  \ny", None)]),
        ("   ```\nx\n  ```", [("   ```\n", None), ("x", ""), ("\n  ```", None)]),
        ("```\r\nx\r\ny\r\n```\r\n", [("```\r\n", None), ("x\r\ny", ""), ("\r\n```\r\n", None)]),
        (
            "```a\n1\n```\n```b\n2\n```",
            [
                ("```a\n", None),
                ("1", "a"),
                ("\n```\n```b\n", None),
                ("2", "b"),
                ("\n```", None),
            ],
        ),
    ],
)
def test_what_stands_between_two_fence_lines_is_a_region_of_its_own(text, regions):
    assert regions == as_pairs(text)


@pytest.mark.parametrize(
    "text",
    [
        "```json\n{}",
        "```\n```",
        "```\n\n```",
        "    ```\nx\n    ```",
        "```a`b\nx",
        "~~~\nx\n```",
        "````\nx\n```",
        "```\nx\n```y",
        "> ```\n> x\n> ```",
    ],
    ids=[
        "open",
        "empty",
        "blank",
        "indented code",
        "inline code",
        "other character",
        "shorter",
        "closed with words",
        "quoted",
    ],
)
def test_what_is_no_closed_fence_stays_unfenced(text):
    assert {None} == {region.fence for region in split(text)}


def test_an_open_fence_leaves_the_closed_one_before_it_alone():
    assert [("```\n", None), ("x", ""), ("\n```\n```c\ny", None)] == as_pairs(
        "```\nx\n```\n```c\ny"
    )


def test_a_blank_first_line_belongs_to_the_fenced_text():
    assert [("```\n", None), ("\nx", ""), ("\n```", None)] == as_pairs("```\n\nx\n```")


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_the_regions_together_are_the_text(text):
    regions = split(text)

    assert text == "".join(region.text for region in regions)
    assert all(region.text for region in regions) or len(regions) == 1


def test_of_a_language_the_beginning_is_kept():
    regions = split(f"```{'x' * 10_000}\nfenced\n```")

    assert ["x" * 64] == [each.fence for each in regions if each.fence is not None]


@pytest.mark.parametrize(
    ("before", "is_fenced"),
    [
        ("", True),
        ("   ", True),
        ("    ", False),
        ("a ", False),
        ("a\n  ", True),
        ("a\n     ", False),
    ],
)
def test_a_fence_stands_where_a_line_begins(before, is_fenced):
    text = f"{before}```\ncode\n```\n"

    assert is_fenced is ("code" in [region.text.strip() for region in split(text)])
    assert text == "".join(region.text for region in split(text))


def test_marks_of_the_other_kind_within_a_line_open_nothing():
    assert [None] == [region.fence for region in split("a ~~~ ```\nb\n```\nc")]
    assert "b" == split("~~~ ```\nb\n~~~")[1].text
