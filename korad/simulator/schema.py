"""A value for a JSON schema: the smallest honest answer to a structured-output request."""

from __future__ import annotations

from typing import Any

DEPTH_MAX = 16
"""A schema may refer to itself; below this depth an answer ends in null."""


def example_of(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """Return a value that satisfies `schema` in a simple way; strings say "simulated"."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return None
    for shortcut in ("const", "default"):
        if shortcut in schema:
            return schema[shortcut]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return example_of(_resolve(schema["$ref"], root), root, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return example_of(schema[choice][0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        members = schema.get("properties") or {}
        return {name: example_of(member, root, depth + 1) for name, member in members.items()}
    if kind == "array":
        items_n = max(1, schema.get("minItems", 1))
        return [example_of(schema.get("items", {}), root, depth + 1)] * items_n
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}.get(kind, "simulated")


def _resolve(reference: Any, root: Any) -> Any:
    found = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step, {}) if isinstance(found, dict) else {}
    return found
