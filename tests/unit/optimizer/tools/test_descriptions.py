"""Tools say less of their parameters, and accept the same."""

from __future__ import annotations

import msgspec
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import EXTREME, HIGH, LOW, MEDIUM
from korad.optimizer.tools.descriptions import shorten


def tool(**properties):
    return {
        "type": "function",
        "function": {
            "name": "book_room",
            "description": "Book a room. Ask before you do. It costs money.",
            "strict": True,
            "parameters": {"type": "object", "properties": properties, "required": ["guest"]},
        },
    }


def short(level=HIGH, **properties):
    """Return the properties as they are after shortening."""
    new = shorten(orjson.dumps([tool(**properties)]), level)
    if new is None:
        return properties
    return orjson.loads(new)[0]["function"]["parameters"]["properties"]


def said(text, level=HIGH, name="guest", **schema):
    """Return what is left of a parameter's description; None: nothing."""
    schema = {"type": "string", **schema, "description": text}
    return short(level, **{name: schema})[name].get("description")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Who sleeps there. This is so nice.", "Who sleeps there."),
        ("Who sleeps there, i.e. the payer. Nice of them.", "Who sleeps there, i.e. the payer."),
        ("Of 1.5 parts, etc. and so on. Thanks to all.", "Of 1.5 parts, etc. and so on."),
        ("The person who sleeps there", "Person who sleeps there"),
        ("Who sleeps there.\nThis is another line.", "Who sleeps there."),
        ("Who is it. If unset, it is me.", "Who is it. If unset, it is me."),
        ("Who is it. If not specified, all the guests are meant.", "Who is it."),
        ("Day in the form YYYY-MM-DD, such as '2026-01-02'.", "Day in the form YYYY-MM-DD."),
        ("In the format of 'City, State', such as 'A, B' or 'C, D'.",
         "In the format of 'City, State', such as 'A, B'."),
    ],
)  # fmt: skip
def test_a_parameter_keeps_its_first_sentence(before, after):
    assert after == said(before)


@pytest.mark.parametrize(
    "text",
    [
        "Who sleeps there. It must be an adult.",
        "Who sleeps there. Only the payer is accepted.",
        "Who sleeps there. Defaults to the caller.",
        "How long to wait. In seconds.",
        "Who sleeps there. One of 'me' or 'you'.",
        "Day of the stay. Use the ISO format.",
        "Is it so? Never send this with a date.",
        "Wer dort schläft. Nur Erwachsene.",
        "Wer dort schlaeft. Nur Erwachsene.",
        "住客姓名。必须是成年人。",
    ],
)
def test_what_changes_a_call_stays(text):
    assert text == said(text)


@pytest.mark.parametrize(
    ("before", "schema"),
    [
        ("Kind of bed. Possible values are 'single' or 'double'.", {"enum": ["single", "double"]}),
        ("Kind of bed. The default is 'single'.", {"default": "single"}),
        ("Kind of bed. Defaults to 7.", {"type": "integer", "default": 7}),
        ("Kind of bed. Set to true for that, false otherwise.", {"type": "boolean"}),
    ],
)
def test_what_the_schema_says_is_not_said_twice(before, schema):
    assert "Kind of bed." == said(before, **schema)
    assert before == said(before, type="array")


def test_a_description_that_repeats_the_names_goes():
    assert said("The kind of room to book.", name="room_kind") is None
    assert "Kind of bed to book." == said("The kind of bed to book.", name="room_kind")


def test_titles_and_examples_go_but_a_property_may_be_called_so():
    text = {"type": "string", "description": "It is so."}
    schema = {"title": "T", "examples": ["x"], "example": 1, "$schema": "y", **text}
    properties = {"title": schema, "description": schema, "examples": {"type": "string"}}

    assert {"title": text, "description": text, "examples": {"type": "string"}} == short(
        **properties
    )


def test_a_title_that_says_more_than_the_name_stays_where_nothing_else_does():
    assert {"when": {"title": "ISO date"}, "room": {}} == short(
        when={"title": "ISO date"}, room={"title": "Room"}
    )


def test_nested_schemas_are_shortened_and_data_is_not():
    text = "Who is it. They are nice."
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"description": text}}},
        "anyOf": [{"description": text}],
        "$defs": {"x": {"description": text}},
        "default": {"description": text, "title": "t"},
        "enum": [{"description": text}],
        "const": {"title": "t"},
    }
    expected = {
        **schema,
        "properties": {"a": {"type": "array", "items": {"description": "Who is it."}}},
        "anyOf": [{"description": "Who is it."}],
        "$defs": {"x": {"description": "Who is it."}},
    }

    assert {"guest": expected} == short(guest=schema)


@pytest.mark.parametrize(
    ("name", "text", "schema", "after"),
    [
        ("guest", "Who sleeps there.", {}, None),
        ("q", "What to look for, in words.", {}, "What to look for"),
        ("q", "What to look for.", {"enum": ["a"]}, None),
        ("n", "How many there are.", {"type": "integer"}, None),
        ("day", "The day of arrival, as YYYY-MM-DD.", {}, "YYYY-MM-DD"),
        ("arrival", "When, in the format 'MM/DD/YYYY HH:MM'.", {}, "MM/DD/YYYY HH:MM"),
    ],
)
def test_at_extreme_only_formats_and_what_a_short_name_leaves_open_stay(name, text, schema, after):
    assert after == said(text, EXTREME, name, **schema)


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: {**f, "x": 1}])
@pytest.mark.parametrize("key", ["parameters", "input_schema"])
def test_functions_without_a_wrapper_are_shortened_too(wrap, key):
    schema = {"type": "object", "properties": {"q": {"description": "So it is. They are nice."}}}
    new = shorten(orjson.dumps([wrap({"name": "f", "description": "A. B.", key: schema})]), HIGH)
    schema["properties"]["q"]["description"] = "So it is."

    assert [wrap({"name": "f", "description": "A. B.", key: schema})] == orjson.loads(new)


def test_what_stays_is_written_as_it_was():
    before = (
        b'[{"type": "function", "function": {"name": "f", "parameters": {"properties": {"q": '
        b'{"description": "So it is. They are nice.", "maximum": 1.10e3, "minimum":'
        b' 100000000000000000000000000000, "x": "\\u00e9\\/"}}}}}]'
    )
    after = before.replace(b" They are nice.", b"")

    assert after.replace(b" ", b"") == shorten(before, HIGH).replace(b" ", b"")
    assert b"1.10e3" in shorten(before, HIGH)


def test_a_schema_with_a_key_twice_stays():
    tools = (
        b'[{"name":"f","parameters":{"properties":{"q":'
        b'{"description":"So it is. They are.","description":"So it is. They are."}}}}]'
    )

    assert shorten(tools, HIGH) is None


@pytest.mark.parametrize("level", [LOW, MEDIUM])
def test_lower_levels_change_nothing(level):
    assert shorten(orjson.dumps([tool(q={"description": "A b. C d."})]), level) is None


@pytest.mark.parametrize(
    "tools",
    [
        b"[]",
        b'[{"type":"web_search","description":"A. B."}]',
        b'[1,null,"x",[]]',
        b'[{"function":3}]',
        b'[{"name":"f","parameters":true}]',
        b'[{"name":"f","parameters":{"properties":[1],"items":3,"anyOf":"x","title":7}}]',
        b'[{"name":"f","parameters":{"properties":{"q":{"description":["So. So."]}}}}]',
    ],
)
def test_what_has_nothing_to_shorten_gives_none(tools):
    assert shorten(tools, HIGH) is None


@pytest.mark.parametrize("tools", [b'{"a":1}', b'[{"name":"\\ud800"}]', b"[1,"])
def test_what_is_no_list_and_no_text_is_refused(tools):
    with pytest.raises(msgspec.DecodeError):
        shorten(tools, HIGH)


def test_deep_schemas_end_somewhere():
    schema = {"description": "So it is. They are nice."}
    for _ in range(200):
        schema = {"type": "array", "items": schema}

    assert short(q=schema) == {"q": schema}


def test_a_huge_description_does_no_harm():
    for unit in ("m", "'", "mm:", "\n", ". ", "the "):
        text = unit * (300_000 // len(unit))

        assert said(text) == text
        assert len(said(text, EXTREME) or "") <= len(text)


def shape(value, *, named=False):
    """Leave out of tools what only describes."""
    if isinstance(value, dict):
        return {
            key: shape(member, named=key in {"properties", "$defs"})
            for key, member in value.items()
            if named or key not in {"description", "title", "examples", "example", "$schema"}
        }
    return [shape(item) for item in value] if isinstance(value, list) else value


NAMES = st.sampled_from(["q", "title", "description", "guest", "examples", "properties"])
TEXTS = st.sampled_from(["Who is it. They are nice.", "It must be. So.", "the the", "", "YYYY-MM"])
SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": st.just("string"), "description": TEXTS, "title": TEXTS}),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=4)}
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3), "description": TEXTS}),
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, SCHEMAS, max_size=4), st.sampled_from([HIGH, EXTREME]))
def test_the_shape_stays_and_a_second_time_changes_nothing(properties, level):
    tools = orjson.dumps([tool(**properties)])
    new = shorten(tools, level) or tools

    assert shape(orjson.loads(tools)) == shape(orjson.loads(new))
    assert orjson.loads(tools)[0]["function"]["description"] in new.decode()
    assert len(new) <= len(tools)
    if level == HIGH:
        assert shorten(new, level) is None
