"""Base URLs, taken apart."""

from __future__ import annotations

import pytest

from korad.config.base_url import format_base_url, parse_base_url
from korad.domain.upstream import Dialect, Origin


@pytest.mark.parametrize(
    ("text", "origin", "base_path"),
    [
        ("https://api.openai.com/v1", ("https", "api.openai.com", 443), "/v1"),
        ("https://api.openai.com/v1/", ("https", "api.openai.com", 443), "/v1"),
        ("HTTPS://API.OpenAI.com/V1", ("https", "api.openai.com", 443), "/V1"),
        ("http://localhost", ("http", "localhost", 80), ""),
        ("http://localhost/", ("http", "localhost", 80), ""),
        ("http://localhost:8000/v1", ("http", "localhost", 8000), "/v1"),
        ("http://127.0.0.1:9/a/b//", ("http", "127.0.0.1", 9), "/a/b"),
        ("http://[::1]:8000/v1", ("http", "::1", 8000), "/v1"),
        ("https://[2001:db8::1]/v1", ("https", "2001:db8::1", 443), "/v1"),
    ],
)
def test_a_base_url_becomes_origin_and_path(text, origin, base_path):
    scheme, host, port = origin

    assert (Origin(scheme=scheme, host=host, port=port), base_path) == parse_base_url(
        text, Dialect.OPENAI
    )


@pytest.mark.parametrize(
    ("text", "base_path"),
    [
        ("https://api.anthropic.com", "/v1"),
        ("https://api.anthropic.com/", "/v1"),
        ("https://api.anthropic.com/v1", "/v1"),
        ("https://api.anthropic.com/v1/", "/v1"),
        ("https://gateway.example/anthropic", "/anthropic/v1"),
        ("https://gateway.example/anthropic/v1", "/anthropic/v1"),
        ("https://gateway.example/nov1", "/nov1/v1"),
    ],
)
def test_an_anthropic_base_url_gets_v1_where_it_is_missing(text, base_path):
    assert base_path == parse_base_url(text, Dialect.ANTHROPIC)[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.openai.com/v1",
        "ftp://api.openai.com",
        "https://",
        "https:///v1",
        "https://:443/v1",
        "https://user:hunter2@api.openai.com/v1",
        "https://hunter2@api.openai.com/v1",
        "https://api.openai.com/v1?key=hunter2",
        "https://api.openai.com/v1?",
        "https://api.openai.com/v1#hunter2",
        "https://api.openai.com:0/v1",
        "https://api.openai.com:65536/v1",
        "https://api.openai.com:http/v1",
        "https://api.openai.com\n/v1",
        "https://api.openai .com/v1",
        "https://bücher.example/v1",
        "https://[::1/v1",
        "https://[localhost]/v1",
        "https://::1/v1",
        "https://-bad-/v1",
        "https://a\\b/v1",
    ],
)
def test_what_is_no_base_url_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match="http or https") as caught:
        parse_base_url(text, Dialect.OPENAI)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    [
        "https://api.openai.com/v1",
        "http://localhost",
        "http://localhost:8000/v1",
        "http://[::1]:8000/v1",
        "https://[2001:db8::1]/v1",
    ],
)
def test_a_formatted_base_url_is_the_one_that_was_parsed(text):
    assert text == format_base_url(*parse_base_url(text, Dialect.OPENAI))
