"""What a tag's attributes say."""

from __future__ import annotations

import pytest

from korad.optimizer.html.tokens import Attributes, is_template, split_tags


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, {}),
        ("", {}),
        (" /", {}),
        (' href="/a" class="x y"', {"href": "/a", "class": "x y"}),
        (' HREF = "/a"/', {"href": "/a"}),
        (' href=" /a "', {"href": "/a"}),
        (' title="a &amp; b" alt="&lt;"', {"title": "a & b", "alt": "<"}),
        (' a="1" a="2"', {"a": "1"}),
        (' a="1" A="2"', {"a": "1"}),
        (" a='1' b=\"2\"", {"a": "1", "b": "2"}),
        (' checked value="1"', {"checked": "", "value": "1"}),
        (' value="1" checked', {"value": "1", "checked": ""}),
        (' a="it\'s" b="="', {"a": "it's", "b": "="}),
        (' a="x href=" b="y"', {"a": "x href=", "b": "y"}),
        (" width=3", {"width": "3"}),
        (' a="1"b="2"', {"a": "1", "b": "2"}),
    ],
)
def test_attributes_are_read(source, expected):
    attributes = Attributes()

    assert expected == attributes.of(source)
    assert expected == attributes.of(source)


def test_tags_of_one_kind_have_their_own_values():
    attributes = Attributes()

    assert {"href": "/a", "id": "1"} == attributes.of(' href="/a" id="1"')
    assert {"href": "/b", "id": ""} == attributes.of(' href="/b" id=""')


def test_a_quotation_mark_that_is_not_closed_is_no_tag_of_that_kind():
    attributes = Attributes()
    whole = attributes.of(' a="x" ')

    assert {"a": "x"} == whole
    assert "x" == attributes.of(' a="x" "rest')["a"]


@pytest.mark.parametrize("source", ["{{ name }}", "{% if a %}", "<a b={c}>", '<a b="<%= c %>">'])
def test_what_a_program_fills_in_is_a_template(source):
    assert is_template(split_tags(f"<p>words</p>{source}<p>more</p>"))


@pytest.mark.parametrize(
    "source", ["{ a }", "100 %", "<script>x={{}}</script>", '<a width="5%">', "<style>a{}</style>"]
)
def test_what_merely_has_its_signs_is_none(source):
    assert not is_template(split_tags(f"<p>words</p>{source}<p>more</p>"))
