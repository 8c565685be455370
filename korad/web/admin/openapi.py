"""The OpenAPI document of the admin API; the routes are made of it."""

from __future__ import annotations

from typing import Any

_NULL_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_COUNT: dict[str, Any] = {"type": ["integer", "null"], "minimum": 1}
_NAMES: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "string"}}
_RESETS = ["never", "day", "week", "month", "24h", "7d", "30d"]

_SCHEMAS: dict[str, Any] = {
    "Limits": {
        "type": "object",
        "properties": {
            "budgets": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["usd"],
                    "properties": {
                        "usd": {"type": "string", "examples": ["50.00"]},
                        "nano_usd": {"type": "integer", "readOnly": True},
                        "reset": {"type": "string", "enum": _RESETS, "default": "never"},
                    },
                },
            },
            "requests_per_minute": _COUNT,
            "tokens_per_minute": _COUNT,
            "concurrency": _COUNT,
        },
    },
    "Key": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "key": {"type": "string", "readOnly": True, "description": "when it is made only"},
            "hint": {"type": "string", "readOnly": True},
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
            "limits": {"$ref": "#/components/schemas/Limits"},
            "created_at": {"type": "string", "format": "date-time", "readOnly": True},
        },
    },
    "Group": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "name": {"type": "string"},
            "customer_id": {"type": ["string", "null"], "description": "teams only"},
            "limits": {"$ref": "#/components/schemas/Limits"},
            "created_at": {"type": "string", "format": "date-time", "readOnly": True},
        },
    },
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
        "/livez": {"get": _operation("livez", "whether the listener answers", None)},
        "/admin/v1/openapi.json": {"get": _operation("openapi", "this document", None)},
        "/admin/v1/keys": {
            "get": _operation("list_keys", "all keys", "Key", many=True),
            "post": _operation("create_key", "make a key", "Key", takes="Key"),
        },
        "/admin/v1/keys/{id}": {
            "get": _operation("get_key", "one key", "Key", path=("id",)),
            "patch": _operation("update_key", "change a key", "Key", takes="Key", path=("id",)),
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
                "create_group", "make a team or customer", "Group", takes="Group", path=("kind",)
            ),
        },
        "/admin/v1/{kind}/{id}": {
            "get": _operation("get_group", "one team or customer", "Group", path=("kind", "id")),
            "patch": _operation(
                "update_group",
                "change one, and all its keys",
                "Group",
                takes="Group",
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
