"""An error, as aiohttp's own lane answers it."""

from __future__ import annotations

from aiohttp import web

from korad.errors import KoradError
from korad.web.shell import Shell


def error_response(error: KoradError, shell: Shell, *, close: bool) -> web.Response:
    """Return an error in OpenAI's shape and count it; `close`: no request can follow."""
    response = web.Response(status=error.status, body=error.body(), content_type="application/json")
    for name, text in error.headers:
        response.headers[name] = text
    response.headers["Server"] = "korad"
    response.headers["x-request-id"] = shell.note_refusal(error)
    if close:
        response.force_close()
    return response
