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


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (' class="x" href=" /a?b&amp;c "', {"href": "/a?b&c"}),
        ('href="/a" href="/b"', {"href": "/a"}),
        (' href="/a" title="t"', {"href": "/a", "title": "t"}),
        (' href="/a" aria-label="l"', {"href": "/a", "aria-label": "l"}),
        (" HREF=/a", {"href": "/a"}),
        (" href='/a' id=\"b\"", {"href": "/a", "id": "b"}),
        (' id=" href=" name="x"', {"id": "href=", "name": "x"}),
        (' data-href="/no" id="x"', {"data-href": "/no", "id": "x"}),
    ],
)
def test_of_a_link_its_target_title_and_label_are_read(source, expected):
    assert expected == Attributes().of_link(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ name }}",
        "{% if a %}",
        "<a b={c}>",
        '<a b="<%= c %>">',
        "{%- if a -%}",
        "{%endif%}",
        "<code>x</code>{{ name }}",
        "</code>{{ name }}",
    ],
)
def test_what_a_program_fills_in_is_a_template(source):
    assert is_template(split_tags(f"<p>words</p>{source}<p>more</p>"))


@pytest.mark.parametrize(
    "source",
    ["{ a }", "100 %", "<script>x={{}}</script>", '<a width="5%">', "<style>a{}</style>",
     "<pre>{{ name }}</pre>", "<p>In <CODE>{% if %}</CODE>, <code><b>x</b></code>",
     '<img src="/i?a=1&b={2}">', '<img src="/i?{%22a%22}">', "<form data-to='<%= q %>'>"],
)  # fmt: skip
def test_what_merely_has_its_signs_is_none(source):
    assert not is_template(split_tags(f"<p>words</p>{source}<p>more</p>"))
