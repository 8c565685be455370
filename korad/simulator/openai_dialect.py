"""OpenAI, as the server sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from korad.simulator import openai_reply
from korad.simulator.answer import Answer, Ask
from korad.simulator.openai_request import check_credential, read_ask
from korad.simulator.reply import Frame, Refused, Stamp
from korad.simulator.script import Script
from korad.simulator.words import Count

MODELS = ("gpt-4o", "gpt-4o-mini", "korad-demo")

_HEADERS = (
    b"access-control-expose-headers: X-Request-ID\r\n"
    b"openai-organization: korad-simulator\r\n"
    b"openai-processing-ms: %d\r\n"
    b"openai-version: 2020-10-01\r\n"
    b"set-cookie: __cf_bm=simulated; path=/; HttpOnly; Secure\r\n"
)
_RATE_LIMIT_HEADERS = (
    b"x-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-limit-tokens: 30000000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\n"
    b"x-ratelimit-remaining-tokens: 29999990\r\n"
    b"x-ratelimit-reset-requests: 6ms\r\n"
    b"x-ratelimit-reset-tokens: 0s\r\n"
)


class OpenAIDialect:
    """`POST .../chat/completions`."""

    name = "openai"
    id_header = "x-request-id"
    ping = b": ping\n\n"
    opening_ping = ping

    def authenticate(self, headers: Mapping[str, str], script: Script) -> str:
        """Check the credential; there is but one version. Raises Refused."""
        if script.auth:
            check_credential(headers)
        return ""

    def read(self, version: str, body: bytes, script: Script, count: Count) -> Ask:  # noqa: ARG002 - one version
        """Return what the request asks. Raises Refused."""
        return read_ask(body, script, count)

    def completion(self, ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> bytes:
        """Return the `chat.completion` object."""
        return openai_reply.completion(ask, answer, script, stamp)

    def events(self, ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> Iterator[Frame]:
        """Return the chunks of the stream and `[DONE]`."""
        return openai_reply.events(ask, answer, script, stamp)

    def canned_error(self, status: int) -> Refused:
        """Return OpenAI's usual error under `status`."""
        kind, code, message = _ERRORS.get(status, _ERRORS[500])
        return Refused(status, message, kind=kind, code=code)

    def error_body(self, refused: Refused, stamp: Stamp) -> bytes:  # noqa: ARG002 - no id in it
        """Return the error object."""
        return openai_reply.error_body(refused)

    def error_event(self, refused: Refused, stamp: Stamp) -> bytes:  # noqa: ARG002 - no id in it
        """Return the error as the stream's event."""
        return b"data: %b\n\n" % openai_reply.error_body(refused)

    def headers(self, script: Script) -> bytes:
        """Return OpenAI's header lines."""
        lines = _HEADERS % round(script.latency_s * 1000)
        return lines + _RATE_LIMIT_HEADERS if script.rate_limit_headers else lines

    def models(self, stamp: Stamp) -> Any:
        """Return the list of models."""
        return {
            "object": "list",
            "data": [
                {"id": name, "object": "model", "created": stamp.created_s, "owned_by": "simulator"}
                for name in MODELS
            ],
        }


_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "invalid_value", "The request was refused (simulated)."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-sim****."),
    402: ("insufficient_quota", "billing_not_active", "Your account is not active (simulated)."),
    403: ("request_forbidden", "unsupported_country_region_territory", "Region not supported."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    413: ("invalid_request_error", "request_too_large", "The request is too large (simulated)."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests (simulated)."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
    529: ("server_error", "overloaded", "The server is overloaded (simulated)."),
}
