"""Anthropic's errors in OpenAI's shape."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from korad.errors import UpstreamRefused
from korad.providers.anthropic_errors import read_error, stream_error
from korad.providers.anthropic_events import ErrorReport

KEY = "sk-ant-api03-" + "a1B2" * 20


def body(kind: str, message: str = "Words.") -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return msgspec.json.encode(error)


def facts(error: UpstreamRefused) -> tuple[Any, ...]:
    return error.status, error.kind, error.code, error.message


CASES = [
    (400, "invalid_request_error", "invalid_request_error"),
    (401, "authentication_error", "authentication_error"),
    (402, "billing_error", "insufficient_quota"),
    (403, "permission_error", "permission_error"),
    (404, "not_found_error", "invalid_request_error"),
    (409, "conflict_error", "invalid_request_error"),
    (413, "request_too_large", "invalid_request_error"),
    (429, "rate_limit_error", "rate_limit_error"),
    (500, "api_error", "upstream_error"),
    (504, "timeout_error", "upstream_error"),
    (529, "overloaded_error", "upstream_error"),
]


@pytest.mark.parametrize(("status", "name", "kind"), CASES)
def test_status_and_message_are_passed_on(status: int, name: str, kind: str) -> None:
    assert (status, kind, name, "Words.") == facts(read_error(status, body(name)))


@pytest.mark.parametrize(("status", "kind"), [case[:2] for case in CASES])
def test_an_error_event_is_the_error_its_status_would_have_been(status: int, kind: str) -> None:
    report = ErrorReport(type=kind, message="Words.")

    assert facts(read_error(status, body(kind))) == facts(stream_error(report))


@pytest.mark.parametrize("kind", [None, "new_error"])
def test_an_error_event_of_an_unknown_type_is_a_bad_gateway(kind: str | None) -> None:
    found = stream_error(ErrorReport(type=kind, message="Words."))

    assert (502, "upstream_error", kind, "Words.") == facts(found)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"type":"error","error":{"type":"api_er',
        b"null",
        b"[]",
        b'{"error":"a string"}',
        b'{"error":{"type":7,"message":[]}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_any_body_gives_an_error_with_the_status(answer: bytes) -> None:
    found = read_error(502, answer)

    assert (502, "upstream_error", None) == (found.status, found.kind, found.code)
    assert "502" in found.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
def test_no_credential_is_ever_shown(status: int) -> None:
    found = read_error(status, body("x", f"invalid x-api-key: {KEY} (Bearer {KEY})"))

    assert KEY not in found.body().decode()
    assert KEY[7:30] not in found.body().decode()


def test_the_answer_has_all_four_keys_of_openais_error() -> None:
    assert {
        "error": {
            "message": "Words.",
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found_error",
        }
    } == msgspec.json.decode(read_error(404, body("not_found_error")).body())
