"""Anthropic, as the server sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from korad.simulator import anthropic_reply, anthropic_request
from korad.simulator.answer import Answer, Ask
from korad.simulator.reply import Frame, Refused, Stamp
from korad.simulator.script import Script
from korad.simulator.words import Count

MODELS = ("claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")

_RATE_LIMIT_HEADERS = (
    b"anthropic-ratelimit-requests-limit: 4000\r\n"
    b"anthropic-ratelimit-requests-remaining: 3999\r\n"
    b"anthropic-ratelimit-requests-reset: 2030-01-01T00:00:00Z\r\n"
    b"anthropic-ratelimit-tokens-limit: 480000\r\n"
    b"anthropic-ratelimit-tokens-remaining: 480000\r\n"
    b"anthropic-ratelimit-tokens-reset: 2030-01-01T00:00:00Z\r\n"
)


class AnthropicDialect:
    """`POST .../messages`."""

    name = "anthropic"
    id_header = "request-id"
    ping = anthropic_reply.PING
    # A stream opens with message_start.
    opening_ping = b""

    def authenticate(self, headers: Mapping[str, str], script: Script) -> str:
        """Return the API version asked for. Raises Refused."""
        return anthropic_request.authenticate(headers, auth=script.auth)

    def read(self, version: str, body: bytes, script: Script, count: Count) -> Ask:  # noqa: ARG002 - nothing to relax
        """Return what the request asks. Raises Refused."""
        return anthropic_request.read_ask(version, body, count)

    def completion(self, ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> bytes:
        """Return the whole message."""
        return anthropic_reply.completion(ask, answer, script, stamp)

    def events(self, ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> Iterator[Frame]:
        """Return the events from `message_start` to `message_stop`."""
        return anthropic_reply.events(ask, answer, script, stamp)

    def canned_error(self, status: int) -> Refused:
        """Return Anthropic's usual error under `status`."""
        kind, message = _ERRORS.get(status, _ERRORS[500])
        return Refused(status, message, kind=kind)

    def error_body(self, refused: Refused, stamp: Stamp) -> bytes:
        """Return the error object."""
        return anthropic_reply.error_body(refused, stamp)

    def error_event(self, refused: Refused, stamp: Stamp) -> bytes:
        """Return the error as a streamed event."""
        return anthropic_reply.error_event(refused, stamp)

    def headers(self, script: Script) -> bytes:
        """Return Anthropic's header lines."""
        return _RATE_LIMIT_HEADERS if script.rate_limit_headers else b""

    def models(self, stamp: Stamp) -> Any:  # noqa: ARG002 - its dates are fixed
        """Return the list of models."""
        return {
            "data": [
                {
                    "type": "model",
                    "id": name,
                    "display_name": name,
                    "created_at": "2025-09-29T00:00:00Z",
                }
                for name in MODELS
            ],
            "has_more": False,
            "first_id": MODELS[0],
            "last_id": MODELS[-1],
        }


_ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "The request was refused (simulated)."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low (simulated)."),
    403: ("permission_error", "Your key may not use this resource (simulated)."),
    404: ("not_found_error", "model: simulated"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your rate limit (simulated)."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
