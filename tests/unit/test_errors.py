"""Every error is an answer in OpenAI's shape."""

from __future__ import annotations

import orjson
import pytest

from korad import errors


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (
            errors.invalid_request("m", code="invalid_model", param="model"),
            (400, "invalid_request_error", "model", "invalid_model"),
        ),
        (
            errors.unsupported_parameter("m", "logit_bias"),
            (400, "invalid_request_error", "logit_bias", "unsupported_parameter"),
        ),
        (
            errors.invalid_messages("m"),
            (400, "invalid_request_error", "messages", "invalid_messages"),
        ),
        (
            errors.permission_error("m", "model_blocked", "model"),
            (403, "permission_error", "model", "model_blocked"),
        ),
        (
            errors.upstream_error(504, "m", "upstream_timeout"),
            (504, "upstream_error", None, "upstream_timeout"),
        ),
        (
            errors.server_error(500, "m", "internal_error"),
            (500, "server_error", None, "internal_error"),
        ),
    ],
)
def test_an_error_says_status_type_param_and_code(error, facts):
    status, kind, param, code = facts

    assert status == error.status
    assert orjson.loads(error.body()) == {
        "error": {"message": "m", "type": kind, "param": param, "code": code}
    }
    assert str(error) == "m"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.no_key(), "virtual_key_required"),
        (errors.UnknownKeyError(), "virtual_key_not_found"),
    ],
)
def test_a_request_without_a_good_key_is_401(error, code):
    assert (401, "authentication_error", code) == (error.status, error.kind, error.code)
    assert "key" in str(error)


def test_whose_fault_it_is_is_the_first_split():
    kinds = (errors.ClientError, errors.UpstreamError, errors.UpstreamRefused, errors.ServerError)

    assert all(kind.__mro__[1] is errors.KoradError for kind in kinds)
    assert not issubclass(errors.ExchangeStateError, errors.KoradError)


def test_a_server_error_may_say_when_to_retry():
    assert errors.server_error(503, "m", "draining", retry_after_s=1).headers == (
        ("retry-after", "1"),
    )
    assert errors.server_error(503, "m", "draining").headers == ()
