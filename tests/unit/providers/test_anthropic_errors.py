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


AUTH = "The provider refused the credential that this proxy is configured with."
BILL = "The provider refused the request over the billing of this proxy's account."
CASES = [
    (400, "invalid_request_error", (400, "invalid_request_error", "invalid_request_error", None)),
    (401, "authentication_error", (502, "upstream_error", "upstream_auth_failed", AUTH)),
    (402, "billing_error", (502, "upstream_error", "upstream_billing_failed", BILL)),
    (403, "permission_error", (502, "upstream_error", "upstream_auth_failed", AUTH)),
    (404, "not_found_error", (404, "invalid_request_error", "not_found_error", None)),
    (409, "conflict_error", (409, "invalid_request_error", "conflict_error", None)),
    (413, "request_too_large", (413, "invalid_request_error", "request_too_large", None)),
    (429, "rate_limit_error", (429, "rate_limit_error", "rate_limit_error", None)),
    (500, "api_error", (500, "upstream_error", "api_error", None)),
    (504, "timeout_error", (504, "upstream_error", "timeout_error", None)),
    (529, "overloaded_error", (503, "server_error", "overloaded", None)),
]


@pytest.mark.parametrize(("status", "kind", "expected"), CASES)
def test_each_status_has_its_counterpart(status: int, kind: str, expected: Any) -> None:
    expected = (*expected[:3], expected[3] or "Words.")

    assert expected == facts(read_error(status, body(kind)))


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
