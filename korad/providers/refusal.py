"""A provider's error answer in OpenAI's shape: the same status, a scrubbed message."""

from __future__ import annotations

import re

from korad.errors import UpstreamRefused

MESSAGE_CHARS_MAX = 2_000
CODE_CHARS_MAX = 200

# Providers quote (parts of) the key they were given: "Incorrect API key provided: sk-pr***cdef".
# What only begins like one ("skipping", "Bearer authentication") is somebody's words.
_KEY_CHARS = r"[A-Za-z0-9_*.\u2026\-]"
_VALUE = r"[^\s\"'`,;)]*[^\s\"'`,;).:]"
_CREDENTIAL = re.compile(
    rf"\b(?:(?:sk|gsk|xai)[-_]|AIza){_KEY_CHARS}{{3,}}[A-Za-z0-9_*\u2026\-]"
    rf"|(?P<lead>\bBearer\s+)(?!(?:auth\w*|scheme|tokens?)\b){_VALUE}"
    rf"|(?P<name>\bapi[-_ ]?key(?:\s+provided)?[\"']?\s*[:=]\s*[\"']?){_VALUE}",
    re.IGNORECASE,
)

_KIND_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def refusal(
    status: int,
    message: str | None = None,
    *,
    kind: str | None = None,
    code: str | None = None,
    param: str | None = None,
) -> UpstreamRefused:
    """Return the error to pass on; what the provider left out is filled in from the status."""
    text = (message or f"The provider answered with status {status}.")[:MESSAGE_CHARS_MAX]
    return UpstreamRefused(
        status,
        _CREDENTIAL.sub(_masked, text),
        kind=kind or _KIND_OF_STATUS.get(status, "upstream_error"),
        code=None if code is None else code[:CODE_CHARS_MAX],
        param=param,
    )


def _masked(found: re.Match[str]) -> str:
    return f"{found['lead'] or found['name'] or ''}***"
