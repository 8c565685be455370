"""Anthropic's errors in OpenAI's shape, from a body with a status or from a stream without one.

    Anthropic                          client
    400 invalid_request_error          400 invalid_request_error
    401, 403 (korad's own key)         502 upstream_error      upstream_auth_failed
    402 billing_error (korad's bill)   502 upstream_error      upstream_billing_failed
    404, 409, 413, other 4xx           as is, invalid_request_error
    429 rate_limit_error               429 rate_limit_error
    529 overloaded_error               503 server_error        overloaded
    500 api_error, 504, other 5xx      as is, upstream_error

The client neither has the provider's key nor pays its bill: the three statuses that speak of
them become a 502 without the provider's words.
"""

from __future__ import annotations

import msgspec

from korad.errors import UpstreamRefused
from korad.providers.anthropic_events import ErrorReport
from korad.providers.refusal import refusal

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _ErrorBody(msgspec.Struct, gc=False):
    error: ErrorReport | None = None


def read_error(status: int, body: bytes) -> UpstreamRefused:
    """Return the error to pass on; `body` may be HTML, empty or cut off."""
    try:
        report = _body_decoder.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        report = None
    return _translate(status, report or ErrorReport())


def stream_error(report: ErrorReport) -> UpstreamRefused:
    """Return the error of an `error` event, with the status it would have had as an answer."""
    return _translate(_STATUS_OF_TYPE.get(report.type or "", 502), report)


def _translate(status: int, report: ErrorReport) -> UpstreamRefused:
    if status in (401, 403):
        return refusal(
            502,
            "The provider refused the credential that this proxy is configured with.",
            kind="upstream_error",
            code="upstream_auth_failed",
        )
    if status == 402:  # noqa: PLR2004 - the table above names it
        return refusal(
            502,
            "The provider refused the request over the billing of this proxy's account.",
            kind="upstream_error",
            code="upstream_billing_failed",
        )
    if status == 529:  # noqa: PLR2004 - Anthropic's own, unknown to OpenAI's clients
        return refusal(503, report.message, kind="server_error", code="overloaded")
    if status >= 500:  # noqa: PLR2004
        return refusal(status, report.message, kind="upstream_error", code=report.type)
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"  # noqa: PLR2004
    return refusal(status, report.message, kind=kind, code=report.type)


_body_decoder = msgspec.json.Decoder(_ErrorBody)
