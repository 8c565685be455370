"""What a request to the admin API says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from korad.domain.limits import GroupKind
from korad.errors import ClientError, body_timed_out
from korad.ledger.reports import Period
from korad.web.admin.fields import CUSTOMER_FIELDS, TEAM_FIELDS, invalid_field

REQUEST_ID = web.RequestKey("request_id", str)
CHANGE = web.RequestKey("change", bytes)
"""The line of the trail, once a request has changed something."""
BODY_TIMEOUT_S = 30.0
FIRST_YEAR = 1970
"""Unix time has no earlier one."""


async def read_body(request: web.Request) -> Any:
    """Return the JSON of a request. Raises ClientError."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await request.read()
        return orjson.loads(raw)
    except TimeoutError:
        raise body_timed_out() from None
    except orjson.JSONDecodeError:
        raise invalid_field("the body", "JSON") from None


def required(changes: dict[str, Any], name: str) -> str:
    """Take a field that must be there. Raises ClientError."""
    if name not in changes:
        raise invalid_field(name, "given")
    return str(changes.pop(name))


def some(changes: dict[str, Any]) -> dict[str, Any]:
    """Return `changes`. Raises ClientError where there are none."""
    if not changes:
        raise invalid_field("the body", "a JSON object with at least one field")
    return changes


def kind_of(request: web.Request) -> GroupKind:
    """Return whether a path is about teams or customers."""
    return GroupKind(request.match_info["kind"].removesuffix("s"))


def group_fields(kind: GroupKind) -> Any:
    """Return what may be set on one."""
    return TEAM_FIELDS if kind is GroupKind.TEAM else CUSTOMER_FIELDS


def _moment(request: web.Request, name: str) -> int | None:
    """Return a moment of the query in Unix milliseconds, None for none. Raises ClientError."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid_field(name, "a date or an RFC 3339 time") from None
    if moment.year < FIRST_YEAR:
        raise invalid_field(name, f"in {FIRST_YEAR} or later")
    return int(moment.timestamp()) * 1_000 + moment.microsecond // 1_000


def period_of(request: web.Request) -> Period:
    """Return the period of the query, open where it does not say. Raises ClientError."""
    return Period(since_ms=_moment(request, "since"), until_ms=_moment(request, "until"))


def not_found(what: str) -> ClientError:
    """Return the 404."""
    return ClientError(
        404, f"There is no such {what}.", kind="invalid_request_error", code="not_found"
    )


def no_ledger() -> ClientError:
    """Return the 404 for what only a ledger knows."""
    return ClientError(
        404, "There is no ledger on this machine.", kind="invalid_request_error", code="no_ledger"
    )
