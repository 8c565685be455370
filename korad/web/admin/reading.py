"""What a request to the admin API says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from korad.domain.limits import GroupKind
from korad.errors import ClientError
from korad.web.admin.fields import CUSTOMER_FIELDS, TEAM_FIELDS, invalid_field

REQUEST_ID = web.RequestKey("request_id", str)
CHANGE = web.RequestKey("change", bytes)
"""The line of the trail, once a request has changed something."""


async def read_body(request: web.Request) -> Any:
    """Return the JSON of a request. Raises ClientError."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise invalid_field("the body", "JSON") from None


def required(changes: dict[str, Any], name: str) -> str:
    """Take a field that must be there. Raises ClientError."""
    if name not in changes:
        raise invalid_field(name, "given")
    return str(changes.pop(name))


def kind_of(request: web.Request) -> GroupKind:
    """Return whether a path is about teams or customers."""
    return GroupKind(request.match_info["kind"].removesuffix("s"))


def group_fields(kind: GroupKind) -> Any:
    """Return what may be set on one."""
    return TEAM_FIELDS if kind is GroupKind.TEAM else CUSTOMER_FIELDS


def moment_of(request: web.Request, name: str) -> int | None:
    """Return a moment of the query in Unix milliseconds, None for none. Raises ClientError."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1_000)
    except (ValueError, OverflowError):
        raise invalid_field(name, "a date or an RFC 3339 time") from None


def not_found(what: str) -> ClientError:
    """Return the 404."""
    return ClientError(
        404, f"There is no such {what}.", kind="invalid_request_error", code="not_found"
    )
