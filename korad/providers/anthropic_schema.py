"""JSON schemas as Anthropic takes them: for tools as they are, for constrained output narrowed.

Constrained output (`output_config.format`, strict tools) knows a subset of JSON Schema and answers
400 to the rest. What it cannot enforce is said in the description, where the model still reads it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from korad.errors import unsupported_parameter
from korad.providers.anthropic_models import Capabilities
from korad.providers.anthropic_shapes import Json, invalid_value, object_at

JSON_OBJECT_HINT = "Answer with one valid JSON object and nothing else: no prose, no code fence."
"""Anthropic has no counterpart of `json_object`; this is added to the system prompt."""

_KEPT = frozenset(
    ("type", "title", "description", "enum", "const", "required", "$ref", "additionalProperties")
)
_DROPPED = frozenset(("$schema", "$id", "$comment", "examples"))
_NAMED = frozenset(("properties", "$defs", "definitions"))
_NESTED = {name: name for name in (*_NAMED, "items", "anyOf", "allOf")} | {"oneOf": "anyOf"}
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)


def tool_schema(parameters: object, param: str) -> Json:
    """Return a function's `parameters` as an input schema: an object with properties."""
    schema = {} if parameters is None else object_at(parameters, param)
    if "type" in schema and "properties" in schema:
        return schema
    return {
        **schema,
        "type": schema.get("type", "object"),
        "properties": schema.get("properties", {}),
    }


def output_format(response_format: object, capabilities: Capabilities) -> tuple[Json | None, str]:
    """Return `output_config.format` and what to add to the system prompt, "" for nothing."""
    if response_format is None:
        return None, ""
    asked = object_at(response_format, "response_format")
    kind = asked.get("type")
    if kind == "text":
        return None, ""
    if kind == "json_object":
        return None, JSON_OBJECT_HINT
    if kind != "json_schema":
        raise invalid_value("Unknown response format.", "response_format.type")
    if not capabilities.structured_outputs:
        raise unsupported_parameter(
            "This model has no structured outputs; ask for 'json_object'.", "response_format"
        )
    named = object_at(asked.get("json_schema"), "response_format.json_schema")
    schema = object_at(named.get("schema"), "response_format.json_schema.schema")
    return {"type": "json_schema", "schema": narrow(schema)}, ""


def narrow(schema: Any) -> Any:
    """Return `schema` in the subset that constrained output enforces."""
    if not isinstance(schema, dict):
        return schema
    narrowed: Json = {}
    notes: list[str] = []
    for keyword, value in schema.items():
        if keyword in _KEPT or _is_enforced(keyword, value):
            narrowed[keyword] = value
        elif keyword in _NESTED:
            narrowed[_NESTED[keyword]] = _narrow_parts(value, named=keyword in _NAMED)
        elif keyword not in _DROPPED:
            notes.append(f"{keyword}: {_encode(value).decode()}")
    if _is_object(narrowed):
        if narrowed.get("additionalProperties", False) is not False:
            notes.append("no properties but these can be written")
        narrowed["additionalProperties"] = False
    if notes:
        said = narrowed.get("description")
        note = f"({'; '.join(notes)})"
        narrowed["description"] = f"{said} {note}" if isinstance(said, str) and said else note
    return narrowed


def _narrow_parts(value: Any, *, named: bool) -> Any:
    if isinstance(value, list):
        return [narrow(part) for part in value]
    if named and isinstance(value, dict):
        return {name: narrow(part) for name, part in value.items()}
    return narrow(value)


def _is_enforced(keyword: str, value: object) -> bool:
    return (keyword == "format" and isinstance(value, str) and value in _FORMATS) or (
        keyword == "minItems" and value in (0, 1)
    )


def _is_object(schema: Json) -> bool:
    kind = schema.get("type")
    return (
        kind == "object"
        or "properties" in schema
        or "additionalProperties" in schema
        or (isinstance(kind, list) and "object" in kind)
    )


_encode = msgspec.json.Encoder().encode
