"""A link says where it leads unless a reader knows: by its words, or by the link right before."""

from __future__ import annotations

import pytest

from korad.optimizer.html.page import Page
from korad.optimizer.html.tokens import split_tags


def written(body):
    return Page(split_tags(body), menus=True, call="").text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x <a href=/a>A</a> or <a href=/b>B</a>, <a href=/a>A</a>", "x [A](/a) or [B](/b), A"),
        (
            "x <a href=/a>NEWS</a> or <a href=/b>B</a>, <a href=/a>News</a>",
            "x [NEWS](/a) or [B](/b), News",
        ),
        (
            "x <a href=/a>data</a> or <a href=/b>B</a>, <a href=/a>the report</a>",
            "x [data](/a) or [B](/b), [the report](/a)",
        ),
        ("x <a href=/a>Title</a>, <a href=/a>Read more</a>", "x [Title](/a), Read more"),
        (
            "x <a href=/1>Buy</a>, <a href=/2>Buy</a>, <a href=/1>Buy</a>, <a href=/1>Buy</a>",
            "x [Buy](/1), [Buy](/2), [Buy](/1), Buy",
        ),
        (
            "x <a href=/a><img alt=Pic></a>, <a href=/b>B</a>, <a href=/a>Title</a>",
            "x [![Pic]](/a), [B](/b), [Title](/a)",
        ),
        ("x <a href=/a><img alt=Pic></a> <a href=/a>Title</a>", "x ![Pic] [Title](/a)"),
        ("x <a href=/a><img alt=Pic></a> <a href=/a>Pic</a>", "x [Pic](/a)"),
        ("x <a href=/a><img alt=Pic></a> and <a href=/a>Pic</a>", "x ![Pic] and [Pic](/a)"),
        ("x <a href=/a>Pic</a> and <a href=/a><img alt=Pic></a>", "x [Pic](/a) and ![Pic]"),
        (
            "x <a href=/a><img alt=Pic></a>, <a href=/b>B</a>, <a href=/a><img alt=Pic></a>",
            "x [![Pic]](/a), [B](/b), ![Pic]",
        ),
        (
            "x <a href=/a aria-label=Cart></a>, <a href=/b>B</a>, <a href=/a aria-label=Cart></a>",
            "x [Cart](/a), [B](/b), ",
        ),
    ],
)
def test_a_target_is_said_where_a_reader_needs_it(body, expected):
    assert expected.strip() == written(body)
