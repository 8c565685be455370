"""Anthropic's errors in OpenAI's shape, from a body with a status or from a stream without one.

    Anthropic                          client: the same status, and as type
    400, 404, 409, 413                 invalid_request_error
    401 authentication_error           authentication_error
    402 billing_error                  insufficient_quota
    403 permission_error               permission_error
    429 rate_limit_error               rate_limit_error
    500 api_error, 504, 529, others    upstream_error

Anthropic's own name of the error becomes the code.
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
    return _translate(status, _report_in(body) or ErrorReport())


def stream_error(report: ErrorReport) -> UpstreamRefused:
    """Return the error of an `error` event, with the status it would have had as an answer."""
    return _translate(_STATUS_OF_TYPE.get(report.type or "", 502), report)


def hidden_error(body: bytes) -> UpstreamRefused | None:
    """Return the error that `body`, which came under a 200, is; None when it is none."""
    report = _report_in(body)
    return None if report is None else stream_error(report)


def _report_in(body: bytes) -> ErrorReport | None:
    try:
        return _body_decoder.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _translate(status: int, report: ErrorReport) -> UpstreamRefused:
    return refusal(status, report.message, code=report.type)


_body_decoder = msgspec.json.Decoder(_ErrorBody)
