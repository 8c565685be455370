"""The OpenAPI document of the admin API; the routes are made of it."""

from __future__ import annotations

from typing import Any

_NULL_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_COUNT: dict[str, Any] = {"type": ["integer", "null"], "minimum": 1}
_NAMES: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "string"}}
_RESETS = ["never", "day", "week", "month", "24h", "7d", "30d"]

_LIMITS: dict[str, Any] = {"$ref": "#/components/schemas/Limits"}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}

_KEY_FIELDS: dict[str, Any] = {
    "name": {"type": "string"},
    "level": _NULL_TEXT,
    "allowed_models": _NAMES,
    "allowed_providers": _NAMES,
    "margin": {"type": ["string", "null"], "examples": ["1.5"]},
    "cache": {"type": "boolean"},
    "expires_at": {"type": ["string", "null"], "format": "date-time"},
    "active": {"type": "boolean"},
    "team_id": _NULL_TEXT,
    "customer_id": _NULL_TEXT,
    "on_limits_unavailable": {"type": "string", "enum": ["open", "closed"]},
    "limits": _LIMITS,
}
_GROUP_FIELDS: dict[str, Any] = {
    "name": {"type": "string"},
    "customer_id": {"type": ["string", "null"], "description": "teams only"},
    "limits": _LIMITS,
}
_ID: dict[str, Any] = {"id": {"type": "string"}}


def _object(fields: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return the schema of an object with these fields and no others."""
    shown: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": fields}
    return shown | ({"required": list(required)} if required else {})


def _change(fields: dict[str, Any]) -> dict[str, Any]:
    return _object(fields) | {"minProperties": 1}


_SCHEMAS: dict[str, Any] = {
    "Limits": _object(
        {
            "budgets": {
                "type": "array",
                "items": _object(
                    {
                        "usd": {"type": "string", "examples": ["50.00"]},
                        "nano_usd": {"type": "integer", "description": "what usd says"},
                        "reset": {"type": "string", "enum": _RESETS, "default": "never"},
                    },
                    "usd",
                ),
            },
            "requests_per_minute": _COUNT,
            "tokens_per_minute": _COUNT,
            "concurrency": _COUNT,
        }
    ),
    "NewKey": _object(_KEY_FIELDS, "name"),
    "KeyChange": _change(_KEY_FIELDS),
    "Key": _object(
        {
            **_ID,
            "key": {"type": "string", "description": "the secret, when it is made only"},
            "hint": {"type": "string", "description": "its last characters"},
            **_KEY_FIELDS,
            "created_at": _TIME,
        },
        "id",
        "name",
    ),
    "NewGroup": _object(_GROUP_FIELDS, "name"),
    "GroupChange": _change(_GROUP_FIELDS),
    "Group": _object({**_ID, **_GROUP_FIELDS, "created_at": _TIME}, "id", "name"),
    "Budget": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "held_nano_usd": {"type": "integer"},
            "under_way": {"type": "integer"},
            "budgets": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "usd": {"type": "string"},
                        "nano_usd": {"type": "integer"},
                        "reset": {"type": "string", "enum": _RESETS},
                        "spent_nano_usd": {"type": "integer"},
                        "left_nano_usd": {"type": "integer"},
                    },
                },
            },
        },
    },
    "Usage": {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Event": {"type": "object", "description": "a billing event; see docs/events.md"},
    "Error": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": _NULL_TEXT,
                    "code": {"type": "string"},
                },
            }
        },
    },
}


def _operation(  # noqa: PLR0913 - the parts of an operation
    name: str,
    summary: str,
    schema: str | None,
    *,
    many: bool = False,
    takes: str | None = None,
    query: tuple[str, ...] = (),
    path: tuple[str, ...] = (),
) -> dict[str, Any]:
    ref: dict[str, Any] = {"type": "object"}
    if schema is not None:
        ref = {"$ref": f"#/components/schemas/{schema}"}
    if many:
        ref = {"type": "object", "properties": {"data": {"type": "array", "items": ref}}}
    answer = {"description": summary, "content": {"application/json": {"schema": ref}}}
    failed = {"$ref": "#/components/schemas/Error"}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [
            *(
                {"name": each, "in": "path", "required": True, "schema": _PATH[each]}
                for each in path
            ),
            *({"name": each, "in": "query", "schema": {"type": "string"}} for each in query),
        ],
        "responses": {
            "201" if name.startswith("create_") else "200": answer,
            "default": {
                "description": "an error",
                "content": {"application/json": {"schema": failed}},
            },
        },
    }
    if takes is not None:
        body = {"schema": {"$ref": f"#/components/schemas/{takes}"}}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    return operation


_PATH: dict[str, Any] = {
    "id": {"type": "string"},
    "kind": {"type": "string", "enum": ["teams", "customers"]},
}
_PERIOD = ("since", "until")

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "korad admin API", "version": "1"},
    "security": [{"token": []}],
    "components": {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "schemas": _SCHEMAS,
    },
    "paths": {
        "/livez": {
            "get": _operation("livez", "whether the listener answers", None) | {"security": []}
        },
        "/admin/v1/openapi.json": {"get": _operation("openapi", "this document", None)},
        "/admin/v1/keys": {
            "get": _operation("list_keys", "all keys", "Key", many=True),
            "post": _operation("create_key", "make a key", "Key", takes="NewKey"),
        },
        "/admin/v1/keys/{id}": {
            "get": _operation("get_key", "one key", "Key", path=("id",)),
            "patch": _operation(
                "update_key", "change a key", "Key", takes="KeyChange", path=("id",)
            ),
            "delete": _operation("revoke_key", "refuse a key from now on", "Key", path=("id",)),
        },
        "/admin/v1/keys/{id}/budget": {
            "get": _operation("key_budget", "what its budgets have left", "Budget", path=("id",)),
        },
        "/admin/v1/usage": {
            "get": _operation("usage", "sums of a period", "Usage", query=("by", *_PERIOD)),
        },
        "/admin/v1/requests": {
            "get": _operation(
                "requests", "billing events", "Event", many=True, query=("key", "limit", *_PERIOD)
            ),
        },
        "/admin/v1/requests/{id}": {
            "get": _operation("one_request", "one request's event", "Event", path=("id",)),
        },
        "/admin/v1/{kind}": {
            "get": _operation(
                "list_groups", "all teams or customers", "Group", many=True, path=("kind",)
            ),
            "post": _operation(
                "create_group",
                "make a team or customer",
                "Group",
                takes="NewGroup",
                path=("kind",),
            ),
        },
        "/admin/v1/{kind}/{id}": {
            "get": _operation("get_group", "one team or customer", "Group", path=("kind", "id")),
            "patch": _operation(
                "update_group",
                "change one, and all its keys",
                "Group",
                takes="GroupChange",
                path=("kind", "id"),
            ),
        },
        "/admin/v1/{kind}/{id}/budget": {
            "get": _operation(
                "group_budget", "what its budgets have left", "Budget", path=("kind", "id")
            ),
        },
    },
}
