"""Tests of `korad.simulator.schema`."""

from __future__ import annotations

import pytest

from korad.simulator.schema import example_of


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string"}, "simulated"),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "simulated"),
        ({"enum": ["red", "blue"]}, "red"),
        ({"const": 3}, 3),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"properties": {"a": {"type": "string"}}}, {"a": "simulated"}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "integer"}}}, 1),
        (True, None),
    ],
)
def test_an_example_fits_its_schema(schema, example):
    assert example == example_of(schema)


def test_a_schema_that_holds_itself_ends():
    example = example_of({"type": "object", "properties": {"child": {"$ref": "#"}}})

    assert "child" in example
