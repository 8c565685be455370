"""Schemas for tools and for constrained output."""

from __future__ import annotations

from typing import Any

import pytest

from korad.errors import ClientError
from korad.providers.anthropic_schema import (
    JSON_OBJECT_HINT,
    narrow,
    output_format,
    tool_schema,
)
from tests.support.anthropic_wire import capabilities


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "properties": {}, "additionalProperties": False, "$defs": {"x": {}}},
            {"type": "object", "properties": {}, "additionalProperties": False, "$defs": {"x": {}}},
        ),
    ],
)
def test_a_tool_schema_is_completed_and_loses_nothing(parameters: Any, expected: Any) -> None:
    assert expected == tool_schema(parameters, "p")


def test_narrowing_closes_every_object_at_any_depth() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"properties": {"b": {"type": "string"}}}},
            "c": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        },
        "$defs": {"d": {"type": ["object", "null"], "properties": {}}},
    }

    assert {
        "type": "object",
        "properties": {
            "a": {
                "type": "array",
                "items": {"properties": {"b": {"type": "string"}}, "additionalProperties": False},
            },
            "c": {"anyOf": [{"type": "object", "additionalProperties": False}, {"type": "null"}]},
        },
        "$defs": {
            "d": {"type": ["object", "null"], "properties": {}, "additionalProperties": False}
        },
        "additionalProperties": False,
    } == narrow(schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"type": "integer", "minimum": 1, "maximum": 5},
            {"type": "integer", "description": "(minimum: 1; maximum: 5)"},
        ),
        (
            {"type": "string", "description": "A code.", "pattern": "^a$", "default": "a"},
            {"type": "string", "description": 'A code. (pattern: "^a$"; default: "a")'},
        ),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        (
            {"type": "string", "format": "color"},
            {"type": "string", "description": '(format: "color")'},
        ),
        ({"type": "array", "minItems": 1}, {"type": "array", "minItems": 1}),
        ({"type": "array", "minItems": 2}, {"type": "array", "description": "(minItems: 2)"}),
        ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
        ({"$schema": "x", "$id": "y", "enum": [1, "a"]}, {"enum": [1, "a"]}),
        ({"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {
                "type": "object",
                "additionalProperties": False,
                "description": "(no properties but these can be written)",
            },
        ),
        (
            {"additionalProperties": {"type": "string"}},
            {
                "additionalProperties": False,
                "description": "(no properties but these can be written)",
            },
        ),
        (
            {"type": "integer", "maximum": 12345678901234567890123},
            {"type": "integer", "description": "(maximum: 12345678901234567890123)"},
        ),
        ({"type": "string", "format": ["x"]}, {"type": "string", "description": '(format: ["x"])'}),
        (True, True),
    ],
)
def test_what_cannot_be_enforced_is_said_in_the_description(schema: Any, expected: Any) -> None:
    assert expected == narrow(schema)


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {"type": "object", "properties": {"minimum": {"type": "string"}}}

    assert {"minimum": {"type": "string"}} == narrow(schema)["properties"]


def test_narrowing_leaves_the_clients_schema_alone() -> None:
    schema = {"type": "object", "properties": {"a": {"minLength": 1}}}
    narrow(schema)

    assert {"type": "object", "properties": {"a": {"minLength": 1}}} == schema


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        (None, (None, "")),
        ({"type": "text"}, (None, "")),
        ({"type": "json_object"}, (None, JSON_OBJECT_HINT)),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            (
                {
                    "type": "json_schema",
                    "schema": {"type": "object", "additionalProperties": False},
                },
                "",
            ),
        ),
    ],
)
def test_each_response_format_has_its_counterpart(response_format: Any, expected: Any) -> None:
    assert expected == output_format(response_format, capabilities())


@pytest.mark.parametrize(
    ("response_format", "model", "code", "param"),
    [
        (7, "claude-sonnet-5", "invalid_type", "response_format"),
        ({"type": "xml"}, "claude-sonnet-5", "invalid_value", "response_format.type"),
        ({"type": "json_schema"}, "claude-sonnet-5", "invalid_type", "response_format.json_schema"),
        (
            {"type": "json_schema", "json_schema": {}},
            "claude-sonnet-5",
            "invalid_type",
            "response_format.json_schema.schema",
        ),
        (
            {"type": "json_schema", "json_schema": {"schema": {}}},
            "claude-3-haiku-20240307",
            "unsupported_parameter",
            "response_format",
        ),
    ],
)
def test_wrong_and_impossible_formats_are_refused(
    response_format: Any, model: str, code: str, param: str
) -> None:
    with pytest.raises(ClientError) as caught:
        output_format(response_format, capabilities(model))

    assert (code, param) == (caught.value.code, caught.value.param)
