"""What providers of the OpenAI dialect send in place of an answer."""

from __future__ import annotations

from korad.errors import KoradError, UpstreamRefused, upstream_error
from korad.providers.refusal import refusal


def error_of(answer: object, status: int) -> UpstreamRefused:
    """Return the error in a decoded answer: OpenAI's, a bare string, or Gemini's list of one."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, str):
        return refusal(status, error)
    if not isinstance(error, dict):
        return refusal(status)
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    kind = error.get("type")
    return refusal(
        status,
        message if isinstance(message, str) else None,
        kind=kind if isinstance(kind, str) else None,
        code=None if code is None else str(code),
        param=param if isinstance(param, str) else None,
    )


def broken(message: str) -> KoradError:
    """Return the 502 for an answer that is not of this dialect."""
    return upstream_error(502, message, "upstream_broken")
