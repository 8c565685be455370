"""A cell or an item that shows an icon alone says what the icon says."""

from __future__ import annotations

import pytest

from korad.optimizer.html.page import Page
from korad.optimizer.html.tokens import split_tags

DRAWING = "<path d='M0 0'/>"


def written(body):
    return Page(split_tags(f"<title>T</title>{body}"), menus=True, call="").text.partition("\n\n")[
        2
    ]


@pytest.mark.parametrize(
    ("icon", "expected"),
    [
        ("<i class=icon-no aria-label=no></i>", "no"),
        (f"<svg aria-label=yes>{DRAWING}</svg>", "yes"),
        (f"<svg><title>yes</title>{DRAWING}</svg>", "yes"),
        (f"<svg aria-label=yes><title>yes</title>{DRAWING}</svg>", "yes"),
        (f"<svg role=img aria-label=yes>{DRAWING}</svg>", "yes"),
        (f"<span aria-label=yes><svg>{DRAWING}</svg></span>", "yes"),
        ("<span class='fa fa-times'></span>", "times"),
        ("<i class='fas fa-2x fa-fw fa-check'></i>", "check"),
        ("<span class=icon-cross></span>", "cross"),
        ("<span class='glyphicon glyphicon-ok'></span>", "ok"),
        ("<span class=check-icon></span>", "check"),
        ("<span class=tick></span>", "tick"),
        ("<span class=badge></span>", ""),
        ("<i class='fa fa-star'></i><i class='fa fa-star-o'></i>", "star star-o"),
        ("<i class='fa fa-check'></i> since May", "since May"),
        ("<img src=/img/yes.png>", "yes"),
        ("<img src=/img/spacer.gif>", ""),
        ("<a href=/e><i class='fa fa-pencil'></i></a>", "[pencil](/e)"),
        ("<a href=/e aria-label=Edit><i class='fa fa-pencil'></i></a>", "[Edit](/e)"),
    ],
)
def test_a_cell_says_what_its_icon_says(icon, expected):
    row = f"<table><tr><td>A</td><td>{icon}</td><td>z</td></tr></table>"

    assert f"| A | {expected} | z |".replace("  ", " ") == written(row)


def test_a_cell_without_content_says_its_label():
    assert "| A | No |" == written("<table><tr><td>A<td class=n title=No></td></tr></table>")


def test_an_item_says_what_its_icon_says():
    assert "- check\n- b" == written(
        "<ul><li><i class='fa fa-check'></i></li><li>b</li><li></li></ul>"
    )


def test_a_decoration_says_nothing():
    body = "<div>a <i class='fa fa-user'></i></div><a href=/t><i class='fa fa-twitter'></i></a>"

    assert "a" == written(body)


def test_the_title_of_a_drawing_is_not_the_title_of_the_page():
    assert (
        "yes"
        == Page(split_tags(f"<svg><title>yes</title>{DRAWING}</svg>"), menus=True, call="").text
    )
